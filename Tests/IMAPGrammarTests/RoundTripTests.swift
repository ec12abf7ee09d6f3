import IMAPTypes
import TestSupport
import Testing
@testable import IMAPGrammar

/// What the serializer writes, the parser reads back equal, wherever both have the rule.
@Suite struct RoundTripTests {
    static let modes: [WireMode] = [[], .utf8Accept, .imap4rev2]

    /// Writes a value, reads it, and compares; nothing may be left over.
    private func check<T: Equatable>(
        _ value: T, _ mode: WireMode, _ write: (inout Serializer, T) -> Void, _ read: (inout Parser) throws(SyntaxError) -> T
    ) {
        var serializer = Serializer(mode: mode)
        write(&serializer, value)
        var parser = Parser(serializer.bytes, mode: mode)
        do {
            let again = try read(&parser)
            #expect(again == value, "\(serializer.bytes.latin1.debugDescription)")
            #expect(parser.next == nil, "\(serializer.bytes.latin1.debugDescription)")
        } catch {
            Issue.record("\(error.expected) at \(error.offset) in \(serializer.bytes.latin1.debugDescription)")
        }
    }

    @Test("strings", arguments: 0..<20 as Range<UInt64>, modes)
    func strings(seed: UInt64, mode: WireMode) {
        var random = SeededGenerator(seed)
        let special = Array("\"\\\r\n {}NIL()%*]".utf8) + [0x7F, 0x80, 0xC3, 0xA9, 0xFF]
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...10, using: &random)).map { _ in
                Bool.random(using: &random) ? special.randomElement(using: &random)! : UInt8.random(in: 1...255, using: &random)
            }
            check(bytes, mode, { $0.string($1) }, { (p) throws(SyntaxError) in try p.string() })
            check(bytes, mode, { $0.astring($1) }, { (p) throws(SyntaxError) in try p.astring() })
            check(bytes, mode, { $0.nstring($1) }, { (p) throws(SyntaxError) in try p.nstring() ?? [0] })
        }
    }

    @Test("numbers", arguments: 0..<5 as Range<UInt64>)
    func numbers(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<500 {
            let small = UInt32.random(in: 0 ... .max, using: &random) >> UInt32.random(in: 0...31, using: &random)
            check(small, [], { $0.number($1) }, { (p) throws(SyntaxError) in try p.number() })
            let large = UInt64.random(in: 0...UInt64(Int64.max), using: &random) >> UInt64.random(in: 0...62, using: &random)
            check(large, [], { $0.number($1) }, { (p) throws(SyntaxError) in try p.number64() })
        }
    }

    @Test("sets of UIDs", arguments: 0..<5 as Range<UInt64>)
    func sets(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<100 {
            let uids = (0..<Int.random(in: 1...20, using: &random)).map { _ in UID(UInt32.random(in: 1...40, using: &random))! }
            check(UIDSet(uids), [], { $0.sequenceSet($1) }, { (p) throws(SyntaxError) in uidSet(try p.knownSet()) })
            check(uids.map(\.rawValue), [], { $0.sequenceSet($1) }, { (p) throws(SyntaxError) in numbers(try p.knownSet()) })
        }
    }

    private func uidSet(_ set: SequenceSet) -> UIDSet { UIDSet(numbers(set).map { UID($0)! }) }

    private func numbers(_ set: SequenceSet) -> [UInt32] {
        guard case .ranges(let ranges) = set else { return [] }
        return ranges.flatMap { range -> [UInt32] in
            guard case .number(let first) = range.first, case .number(let last) = range.last else { return [] }
            return Array(first...last)
        }
    }

    @Test("dates", arguments: 0..<5 as Range<UInt64>)
    func dates(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<500 {
            let date = InternalDate(seconds: Int64.random(in: -62_000_000_000...253_000_000_000, using: &random),
                                    zone: Int16.random(in: -5999...5999, using: &random))
            check(date, [], { $0.dateTime($1) }, { (p) throws(SyntaxError) in try p.dateTime() })
        }
    }

    @Test("flags", arguments: 0..<5 as Range<UInt64>)
    func flags(seed: UInt64) {
        var random = SeededGenerator(seed)
        let words = ["$Junk", "x", "NonJunk", "a-b", "+", "[", "&"].compactMap { Keyword($0) }
        for _ in 0..<100 {
            let set = FlagSet(system: SystemFlags(rawValue: UInt8.random(in: 0...31, using: &random)),
                              keywords: Set(words.shuffled(using: &random).prefix(Int.random(in: 0...7, using: &random))))
            check(set, [], { $0.flagList($1.system, $1.keywords) }, { (p) throws(SyntaxError) in try p.flagList() })
        }
    }

    @Test("mailbox names", arguments: 0..<20 as Range<UInt64>, modes)
    func mailboxes(seed: UInt64, mode: WireMode) {
        var random = SeededGenerator(seed)
        for _ in 0..<100 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 1...10, using: &random) {
                let ranges: [ClosedRange<UInt32>] = [0x20...0x7E, 0x20...0x2F, 0xA0...0x2FF, 0x3000...0xFFFF, 0x10000...0x10FFFF]
                if let scalar = Unicode.Scalar(UInt32.random(in: ranges.randomElement(using: &random)!, using: &random)) {
                    scalars.append(scalar)
                }
            }
            guard let name = MailboxName(String(scalars)) else { continue }
            check(name, mode, { $0.mailbox($1) }, { (p) throws(SyntaxError) in try p.mailbox() })
        }
    }

    @Test("sections", arguments: 0..<5 as Range<UInt64>)
    func sections(seed: UInt64) {
        var random = SeededGenerator(seed)
        for _ in 0..<200 {
            let fields = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                (0..<Int.random(in: 1...4, using: &random)).map { _ in UInt8.random(in: 0x20...0x7E, using: &random) }
            }
            let part = (0..<Int.random(in: 0...3, using: &random)).map { _ in UInt32.random(in: 1 ... .max, using: &random) }
            var texts: [SectionText?] = [nil, .header, .text, .headerFields(fields), .headerFieldsNot(fields)]
            if !part.isEmpty { texts.append(.mime) }
            let section = Section(part: part, text: texts.randomElement(using: &random)!)
            check(section, [], { $0.bodySection($1) }, { (p) throws(SyntaxError) in
                try p.expect("BODY")
                return try p.section()
            })
            check(part, [], { $0.binarySize(part: $1) }, { (p) throws(SyntaxError) in
                try p.expect("BINARY.SIZE")
                return try p.sectionBinary()
            })
        }
    }

    @Test func fieldsOfID() {
        let fields = [IDField(name: Array("name".utf8), value: Array("a\"\r\n".utf8)), IDField(name: [], value: nil)]
        check(AnyStateCommand.id(fields), [], { (serializer, _) in
            serializer.id(fields)
            serializer.bytes.removeLast(2)
        }, { (p) throws(SyntaxError) in
            try p.expect("* ID")
            return try p.id()
        })
    }

    /// A header that the serializer writes, the reader finds.
    @Test("literal headers", arguments: [0, 1, 4_096, UInt64(Int64.max)])
    func literals(size: UInt64) {
        let plain = Array(" ".utf8) + Array(written { $0.literalHeader(size: size) }.utf8)
        #expect(LiteralHeader.atEnd(of: plain[...])?.header == LiteralHeader(size: size, isSynchronizing: true, isBinary: false))
        let binary = Array(" ".utf8) + Array(written { $0.literal8Header(size: size) }.utf8)
        #expect(LiteralHeader.atEnd(of: binary[...])?.header == LiteralHeader(size: size, isSynchronizing: true, isBinary: true))
    }
}
