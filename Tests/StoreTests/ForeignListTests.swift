import Foundation
import IMAPTypes
@testable import Maildir
import Testing

/// Lists of UIDs that Dovecot and Courier write, and what is left of damaged ones.
@Suite struct ForeignListTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var text: String
        var validity: UInt32 = 7
        var next: UInt64
        /// UID and name of each record.
        var records: [String]
        var damaged = 0

        init(_ description: String, _ text: String, validity: UInt32 = 7, next: UInt64, _ records: [String], damaged: Int = 0) {
            testDescription = description
            self.text = text
            self.validity = validity
            self.next = next
            self.records = records
            self.damaged = damaged
        }
    }

    static let cases = [
        Case("as Dovecot writes it",
             "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n25006 :1.a,S=1355,W=1394\n25017 W2481 :2.b\n",
             validity: 1_275_660_208, next: 25022, ["25006 1.a,S=1355,W=1394", "25017 2.b"]),
        Case("next UID lower than the last plus one", "3 V7 N5\n9 :1.a\n", next: 10, ["9 1.a"]),
        Case("next UID higher", "3 V7 N50\n9 :1.a\n", next: 50, ["9 1.a"]),
        Case("no messages", "3 V7 N50\n", next: 50, []),
        Case("last line without an end", "3 V7 N5\n5 :1.a\n6 :2.b", next: 7, ["5 1.a"]),
        Case("last line torn in its UID", "3 V7 N5\n5 :1.a\n6", next: 6, ["5 1.a"]),
        Case("the same name twice", "3 V7 N5\n1 :1.a\n2 :1.a\n", next: 5, ["1 1.a", "2 1.a"]),
        Case("gaps", "3 V7 N1000\n1 :1.a\n500 :2.b\n999 :3.c\n", next: 1000, ["1 1.a", "500 2.b", "999 3.c"]),
        Case("flags behind the name", "3 V7 N5\n1 :1.a:2,FS\n", next: 5, ["1 1.a"]),
        Case("fields, one of them empty", "3 V7 N5\n1 P S10 W12 O3 Gx.y :1.a\n2 Z  :2.b\n", next: 5, ["1 1.a", "2 2.b"]),
        Case("header in another order, with unknown keys", "3 Xabc G3085f01b7f11094c501100008c4a11c1 N9 P%v-%u V7 Y\n1 :1.a\n",
             next: 9, ["1 1.a"]),
        Case("names with spaces and commas", "3 V7 N5\n1 :1.a b,S=12x,W=,U=5\n", next: 5, ["1 1.a b,S=12x,W=,U=5"]),
        Case("version 1", "1 7 20\n3 1.a\n17 1732531300.M1P2V..I.._0.host,S=1234\n", next: 20, ["3 1.a",
             "17 1732531300.M1P2V..I.._0.host,S=1234"]),
        Case("largest numbers", "3 V4294967295 N4294967295\n4294967294 :1.a\n", validity: .max, next: 4_294_967_295,
             ["4294967294 1.a"]),

        Case("version 1 with a UID beyond the next", "1 7 10\n9 1.a\n12 2.b\n", next: 13, ["9 1.a", "12 2.b"], damaged: 1),
        Case("no next UID", "3 V7\n4 :1.a\n", next: 5, ["4 1.a"], damaged: 1),
        Case("next UID zero", "3 V7 N0\n4 :1.a\n", next: 5, ["4 1.a"], damaged: 1),
        Case("UIDs that descend", "3 V7 N30\n20 :2.b\n10 :1.a\n25 :3.c\n", next: 30, ["10 1.a", "20 2.b", "25 3.c"], damaged: 1),
        Case("one UID for two names", "3 V7 N30\n10 :1.a\n10 :2.b\n11 :3.c\n", next: 30, ["11 3.c"], damaged: 1),
        Case("one UID twice for one name", "3 V7 N30\n10 :1.a\n10 :1.a\n", next: 30, ["10 1.a"], damaged: 1),
        Case("lines without UID, name, or both", "3 V7 N30\n\n:x\n5\n6 \n7 :\n8 S1\nabc :1.a\n9 :2.b\n", next: 30, ["9 2.b"],
             damaged: 7),
        Case("names that are none", "3 V7 N30\n1 :a/b\n2 :.a\n3 ::2,S\n4 :a\0b\n5 :ok\n", next: 30, ["5 ok"], damaged: 4),
        Case("a name that is too long", "3 V7 N30\n1 :\(String(repeating: "x", count: 256))\n2 :ok\n", next: 30, ["2 ok"],
             damaged: 1),
        Case("UIDs that are too large", "3 V7 N30\n4294967295 :a\n99999999999999999999999 :b\n0 :c\n5 :ok\n", next: 30,
             ["5 ok"], damaged: 3),
    ]

    @Test(arguments: cases)
    func `A list is read`(_ item: Case) throws {
        let list = try #require(ForeignList(Array(item.text.utf8)))
        #expect(list.uidValidity == item.validity)
        #expect(list.uidNext == item.next)
        #expect(list.records.map { "\($0.uid) \(String(decoding: list.bytes[$0.name], as: UTF8.self))" } == item.records)
        #expect(list.damage.lines == item.damaged)
    }

    @Test(arguments: [
        "", "\n", "3", "3 \n", "3 V7 N5", "3 N5\n", "3 V0 N5\n", "3 V N5\n", "3 V4294967296 N5\n", "3 V7x N5\n", "2 V7 N5\n",
            "1 0 5\n",
        "x 1 2\n", "30 V7 N5\n", "V7 N5\n", "\0\0\0\n",
    ])
    func `Without a UIDVALIDITY a list means nothing`(_ text: String) {
        #expect(ForeignList(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        ("3085f01b7f11094c501100008c4a11c1", true), ("3085F01B7F11094C501100008C4A11C1", true),
            ("00000000000000000000000000000000", false),
        ("3085f01b7f11094c501100008c4a11c", false), ("3085f01b7f11094c501100008c4a11c1a", false),
            ("+085f01b7f11094c501100008c4a11c1", false),
        ("3085f01b7f11094c+01100008c4a11c1", false), ("", false),
    ])
    func `A GUID is 32 hexadecimal digits`(_ text: String, _ isOne: Bool) throws {
        let list = try #require(ForeignList(Array("3 V7 G\(text) N5\n".utf8)))
        #expect(list.mailboxID == (isOne ? ObjectID(low: 0x5011_0000_8C4A_11C1, high: 0x3085_F01B_7F11_094C) : nil))
    }

    @Test func `A copy has the GUID of its original`() throws {
        let list = try #require(ForeignList(Array("3 V7 N5\n1 G1700000000.M1P2.old S1000 :1.a\n".utf8)))
        #expect(list.records.first?.guid.map { String(decoding: list.bytes[$0], as: UTF8.self) } == "1700000000.M1P2.old")
    }

    @Test func `No cut and no flipped bit makes it stumble, and what it tells stays in range`() {
        let whole = Array(Self.cases[9].text.utf8) + Array(Self.cases[0].text.utf8)
        for cut in 0...whole.count { check(Array(whole[..<cut])) }
        for at in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[at] ^= 1 << bit
                check(bytes)
            }
        }
        var random = SystemRandomNumberGenerator()
        let characters = Array("3 1VNG:0957\n\n  a,".utf8)
        for _ in 0..<2000 {
            check(Array("3 V7 N5\n".utf8) + (0..<Int.random(in: 0..<80,
                using: &random)).map { _ in characters.randomElement(using: &random)! })
        }
    }

    private func check(_ bytes: [UInt8]) {
        guard let list = ForeignList(bytes) else { return }
        #expect(list.uidValidity > 0 && (1...(1 << 32)).contains(list.uidNext))
        #expect(zip(list.records, list.records.dropFirst()).allSatisfy { $0.uid < $1.uid })
        #expect(list.records.allSatisfy { UInt64($0.uid) < list.uidNext && !$0.name.isEmpty })
    }

    @Test func `Hundreds of thousands of lines are read in one pass`() throws {
        var text = Array("3 V7 N1\n".utf8)
        for uid in 1...300_000 { text += Array("\(uid) :\(1_700_000_000 + uid).M\(uid % 1_000_000)P1.host\n".utf8) }
        let list = try #require(ForeignList(text))
        #expect(list.records.count == 300_000)
        #expect(list.uidNext == 300_001)
    }
}

/// Keywords as Dovecot and Courier keep them.
@Suite struct ForeignKeywordsTests {
    /// What the letters of a name mean.
    private func names(_ file: String, _ info: String) -> [String] {
        let keywords = ForeignKeywords(dovecot: Array(file.utf8))
        return keywords.keywords(of: [], info: Array(info.utf8)).map { keywords.keywords[$0].name }
    }

    @Test(arguments: [
        ("0 $Forwarded\n1 work\n", ":2,Sab", ["$Forwarded", "work"]),
        ("0 $Forwarded\n1 work\n", ":2,Sb", ["work"]),
        // A letter without a meaning.
        ("0 $Forwarded\n", ":2,Sabz", ["$Forwarded"]),
        // A gap, and another order.
        ("5 five\n2 two\n", ":2,cf", ["five", "two"]),
        // The same name in another case: the first counts.
        ("0 Work\n1 wORK\n2 x\n", ":2,ab", ["Work"]),
        ("0 Work\n1 wORK\n2 x\n", ":2,bc", ["x"]),
        // Converted from .customflags, or no keyword at all.
        ("nonsense\n0 a\n\n26 beyond\n-1 x\n1\n2 \n3 (b\n4 d", ":2,abcdez", ["a", "d"]),
        // Where letters do not count.
        ("0 a\n", ":2,S,a", []), ("0 a\n", ":1,a", []), ("0 a\n", "", []), ("0 a\n", ":2,", []),
        ("0 a\n", ":x:2,a", ["a"]),
    ])
    func `Letters mean keywords`(_ file: String, _ info: String, _ expected: [String]) {
        #expect(names(file, info) == expected)
    }

    @Test func `All 26 letters may have a meaning`() {
        let file = (0..<26).map { "\($0) k\($0)\n" }.joined()
        #expect(names(file, ":2,FSabcdefghijklmnopqrstuvwxyz") == (0..<26).map { "k\($0)" })
        #expect(ForeignKeywords(dovecot: Array(file.utf8)).hasAllLetters)
        #expect(!ForeignKeywords(dovecot: Array(file.dropFirst(5).utf8)).hasAllLetters)
    }
}
