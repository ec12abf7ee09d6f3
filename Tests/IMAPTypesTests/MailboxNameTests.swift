import IMAPTypes
import Testing

@Suite struct MailboxNameTests {
    @Test("refuses control characters", arguments: Array(0...0x1F as ClosedRange<UInt32>) + Array(0x7F...0x9F) + [0x2028, 0x2029])
    func controls(scalar: UInt32) throws {
        let control = String(Character(try #require(Unicode.Scalar(scalar))))
        #expect(MailboxName(control) == nil)
        #expect(MailboxName("a\(control)b") == nil)
    }

    @Test("takes everything else", arguments: [" ", "&", "~", "%", "*", "\"", "\\", "é", "\u{A0}", "日本語", "😀", "a/b", "INBOX.x"])
    func others(name: String) {
        #expect(MailboxName(name)?.string == name)
    }

    @Test func limitsItsLength() {
        #expect(MailboxName("") == nil)
        #expect(MailboxName(String(repeating: "a", count: MailboxName.longest)) != nil)
        #expect(MailboxName(String(repeating: "a", count: MailboxName.longest + 1)) == nil)
        #expect(MailboxName(String(repeating: "é", count: MailboxName.longest / 2 + 1)) == nil)
    }

    @Test("knows INBOX in any case", arguments: ["INBOX", "inbox", "iNbOx"])
    func inbox(name: String) {
        #expect(MailboxName(name) == .inbox)
        #expect(MailboxName(name)?.isInbox == true)
        #expect(MailboxName(name)?.string == "INBOX")
        #expect(MailboxName(name + "/a")?.levels(separator: "/") == ["INBOX", "a"])
        #expect(MailboxName(name + ".a")?.levels(separator: "/") == [Substring(name + ".a")])
    }

    @Test("is not INBOX", arguments: ["INBOXX", "INBO", "in box", ")nbox", "İNBOX"])
    func notInbox(name: String) {
        #expect(MailboxName(name)?.isInbox == false)
        #expect(MailboxName(name)?.string == name)
    }

    @Test func compareByCodeUnits() {
        #expect(MailboxName("é") != MailboxName("e\u{301}"))
        #expect(Set([MailboxName("é"), MailboxName("e\u{301}")]).count == 2)
        #expect(MailboxName("a") == MailboxName("a"))
    }

    @Test func keepsEmptyLevels() {
        #expect(MailboxName("/a//b/")?.levels(separator: "/") == ["", "a", "", "b", ""])
    }
}

@Suite struct NumberTests {
    @Test func zeroIsNoNumber() {
        #expect(UID(0) == nil)
        #expect(SequenceNumber(0) == nil)
        #expect(UIDValidity(0) == nil)
        #expect(UID(1) == .first)
        #expect(UID(.max) == .last)
    }

    @Test func numbersCompare() {
        #expect(UID(1)! < UID(2)!)
        #expect(SequenceNumber(1)! < SequenceNumber(2)!)
        #expect(UIDValidity(1)! < UIDValidity(2)!)
        #expect(ModSequence(1)! < ModSequence(2)!)
    }

    @Test func modSequencesHave63Bits() {
        #expect(ModSequence(0) == .zero)
        #expect(ModSequence(UInt64(Int64.max))?.rawValue == UInt64(Int64.max))
        #expect(ModSequence(UInt64(Int64.max) + 1) == nil)
    }
}
