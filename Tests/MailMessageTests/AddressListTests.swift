import MailMessage
import TestSupport
import Testing

@Suite("AddressList")
struct AddressListTests {
    @Test("reads what RFC 5322 writes, and what people write", arguments: [
        ("a@example.org", ["a@example.org"]),
        ("Pete <pete@silly.example>", ["\"Pete\" pete@silly.example"]),
        ("Joe Q. Public <john.q.public@example.com>", ["\"Joe Q. Public\" john.q.public@example.com"]),
        ("\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>", ["\"Giant; \"Big\" Box\" sysservices@example.net"]),
        ("Who? <one@y.test>, boss@nil.test", ["\"Who?\" one@y.test", "boss@nil.test"]),
        ("A Group:Ed Jones <joe@where.test>,John <jdoe@one.test>;", ["A Group:", "\"Ed Jones\" joe@where.test",
         "\"John\" jdoe@one.test", ";"]),
        ("Undisclosed recipients:;", ["Undisclosed recipients:", ";"]),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", ["\"Pete\" pete@silly.test"]),
        ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", ["Hidden recipients:", ";"]),
        ("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
         ["\"Mary Smith\" @node.test|mary@example.net", "jdoe@test.example"]),
        ("<@hosta.int,@jdkf.example:user@example.org>", ["@hosta.int,@jdkf.example|user@example.org"]),
        ("user@example.org (Full Name)", ["\"Full Name\" user@example.org"]),
        ("user@[IPv6:::1]", ["user@[IPv6:::1]"]),
        ("\"a b\"@example.org", ["a b@example.org"]), ("\" a\"@example.org", [" a@example.org"]), ("\"a \"@x", ["a @x"]),
        ("me@here <me@there>", ["\"me@here\" me@there"]),
        ("root", ["root@"]), ("<>", ["@"]), ("<root>", ["root@"]), ("", []), (",,,", []), (";", []),
        ("\"never closed <a@b>, c@d", ["never closed <a@b>, c@d@"]),
        ("Name <a@b", ["\"Name\" a@b"]), ("Name <a@b> trailing, c@d", ["\"Name\" a@b", "trailing@", "c@d"]),
        ("open: a@b", ["open:", "a@b", ";"]), ("a: b: c@d;", ["a:", "c@d", ";"]),
        ("=?utf-8?q?S=C3=A9?= <s@example.org>", ["\"=?utf-8?q?S=C3=A9?=\" s@example.org"]),
        ("(((((((", []), ("@example.org", ["@example.org"]), ("a.b . c@d", ["a.b.c@d"]),
    ] as [(String, [String])])
    func entries(value: String, expected: [String]) {
        var list = AddressList()
        list.append(Array(value.utf8)[...])
        #expect(list.described == expected)
    }

    @Test("takes the field that was asked for, and no other")
    func fields() {
        let structure = parse(Array("From: a@b\nReply-To: c@d\nSender:\n\n".utf8))
        var list = AddressList()
        structure.addresses(.sender, of: 0, into: &list)
        #expect(list.isEmpty)
        structure.addresses(.replyTo, of: 0, into: &list)
        #expect(list.described == ["c@d"])
        structure.addresses(.cc, of: 0, into: &list)
        #expect(list.isEmpty)
    }

    @Test("takes several fields of one name together")
    func several() {
        let structure = parse(Array("To: a@b\nTo: c@d\n\n".utf8))
        var list = AddressList()
        structure.addresses(.to, of: 0, into: &list)
        #expect(list.described == ["a@b", "c@d"])
    }

    @Test("closes every group, whatever the bytes", arguments: 0..<20)
    func groups(seed: UInt64) {
        var generator = SeededGenerator(seed)
        for _ in 0..<100 {
            let value = Array("G: a <b@c>, \"d\" (e) <@f:g@h>; i".utf8).mutated(using: &generator)
            var list = AddressList()
            list.append(value[...])
            var depth = 0
            for entry in list.entries {
                switch entry {
                case .groupStart: depth += 1
                case .groupEnd: depth -= 1
                case .mailbox: break
                }
                #expect((0...1).contains(depth))
            }
            #expect(depth == 0)
        }
    }
}

extension AddressList {
    var described: [String] {
        entries.map { entry in
            func text(_ range: Range<Int>) -> String { Array(self[range]).text }
            return switch entry {
            case .mailbox(let name, let route, let mailbox, let host):
                (name.map { "\"\(text($0))\" " } ?? "") + (route.map { text($0) + "|" } ?? "") + text(mailbox) + "@"
                 + text(host)
            case .groupStart(let name): text(name) + ":"
            case .groupEnd: ";"
            }
        }
    }
}
