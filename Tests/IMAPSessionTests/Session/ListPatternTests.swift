@testable import IMAPSession
import IMAPTypes
import Testing

@Suite("A pattern of LIST")
struct ListPatternTests {
    @Test("matches", arguments: [
        ("*", "a"), ("*", "a/b"), ("%", "a"), ("a", "a"), ("a*", "a"), ("a%", "a"), ("*a", "a"), ("a/%", "a/b"), ("%/%", "a/b"),
        ("a*c", "a/b/c"), ("*b*", "a/b/c"), ("%b", "ab"), ("a**", "ab"), ("a*%", "a/b"), ("a%*", "a/b"), ("%%", "ab"),
        ("INBOX", "INBOX"), ("inbox", "INBOX"), ("InB%", "INBOX"), ("inbox/a", "INBOX/a"), ("*x", "INBOX"),
        ("é*", "école".precomposed),
        ("a*b*c*d", "axxbxxcxxd"), ("a%b%c", "aXbXbXc"), ("*/b", "a/x/b"), ("%a%/%b", "xa/xb"),
    ])
    func matches(_ pattern: String, _ name: String) {
        #expect(ListPattern(Array(pattern.utf8), "/").matches(MailboxName(name)!))
    }

    @Test("does not match", arguments: [
        ("", "a"), ("a", "ab"), ("a", "b"), ("%", "a/b"), ("%b", "a/b"), ("a%", "a/b"), ("a/%", "a"), ("a/%", "a/b/c"),
        ("a/*", "a"),
        ("A", "a"), ("inbox/A", "INBOX/a"), ("inboxes/a", "INBOXes/a"), ("*b", "abc"), ("a%c", "a/c"), ("%/%", "a"),
        ("%/%", "a/b/c"),
    ])
    func doesNotMatch(_ pattern: String, _ name: String) {
        #expect(!ListPattern(Array(pattern.utf8), "/").matches(MailboxName(name)!))
    }

    @Test("knows its separator")
    func separator() {
        #expect(ListPattern(Array("%".utf8), ".").matches(MailboxName("a/b")!))
        #expect(!ListPattern(Array("%".utf8), ".").matches(MailboxName("a.b")!))
    }

    /// What would take a matcher that goes back for ever.
    @Test("is never expensive")
    func hostile() {
        let pattern = String(repeating: "*a", count: 400) + "b"
        let name = MailboxName(String(repeating: "a", count: 1000))!
        #expect(!ListPattern(Array(pattern.utf8), "/").matches(name))
    }

    /// All patterns of up to 4 and all names of up to 5 characters, against a matcher that is plainly right.
    @Test("agrees with the definition")
    func model() {
        func words(_ letters: String, upTo length: Int) -> [String] {
            var all = [""], last = [""]
            for _ in 0..<length {
                last = last.flatMap { word in letters.map { word + String($0) } }
                all += last
            }
            return all
        }
        func isMatch(_ pattern: Substring, _ name: Substring) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            let rest = pattern.dropFirst()
            if isMatch(rest, name), first == "*" || first == "%" { return true }
            guard let letter = name.first else { return false }
            switch first {
            case "*": return isMatch(pattern, name.dropFirst())
            case "%": return letter != "/" && isMatch(pattern, name.dropFirst())
            default: return letter == first && isMatch(rest, name.dropFirst())
            }
        }
        let names = words("a/", upTo: 5).compactMap { MailboxName($0) }
        var wrong: [String] = []
        for pattern in words("a/*%", upTo: 4) {
            let compiled = ListPattern(Array(pattern.utf8), "/")
            for name in names where compiled.matches(name) != isMatch(pattern[...], name.string[...]) {
                wrong.append("\(pattern) and \(name.string)")
            }
        }
        #expect(wrong == [])
    }
}

extension String {
    fileprivate var precomposed: String { "\u{E9}cole" }
}
