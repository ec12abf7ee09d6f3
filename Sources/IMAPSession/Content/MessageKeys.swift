import MailMessage

/// What SORT and THREAD (RFC 5256) and the sent dates of SEARCH compare of a message, ready to be compared, in the bytes in which
/// it is kept: date, ids, base subject, and the first mailbox of each field of addresses.
///
/// Ids and subjects of threads are known by hashes of 64 bits. Two that are not the same and hash alike would come once in
/// billions of messages; who makes such a pair could as well name the other id.
struct MessageKeys {
    private let bytes: UnsafeRawBufferPointer

    /// i;unicode-casemap, for SORT.
    enum Text: Int, CaseIterable { case subject, from, to, cc }

    /// Format 4, bits 1 and padding 3, date 8, day 4, number of references 4, id 8, subject 8, lengths of texts 4 each; then
    /// references, 8 each, and texts.
    private static let headCount = 56
    private static let format: UInt32 = 0x6B65_7902

    private struct Bits: OptionSet {
        let rawValue: UInt8
        static let hasDate = Bits(rawValue: 1)
        static let isReplyOrForward = Bits(rawValue: 2)
    }

    /// `nil` if the bytes are not in this form.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headCount, bytes.loadUnaligned(as: UInt32.self) == Self.format else { return nil }
        self.bytes = bytes
        var end = Self.headCount + 8 * referenceCount
        for text in Text.allCases { end += length(text) }
        guard end <= bytes.count else { return nil }
    }

    private func number<T: FixedWidthInteger>(_ offset: Int) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    private var bits: Bits { Bits(rawValue: bytes[4]) }

    /// The Date: field, in seconds since the epoch (RFC 5256 §2.2).
    var sentDate: Int64? { bits.contains(.hasDate) ? number(8) : nil }
    /// The day that the sender's calendar showed, since the epoch (RFC 9051 §6.4.4).
    var sentDay: Int64? { bits.contains(.hasDate) ? Int64(number(16) as Int32) : nil }

    /// Of Message-ID: (RFC 5256 §3, REFERENCES); 0 if there is none.
    var id: UInt64 { number(24) }
    /// Of the ancestors, the nearest last.
    var references: [UInt64] { (0..<referenceCount).map { reference($0) } }
    var referenceCount: Int { Int(number(20) as UInt32) }
    func reference(_ index: Int) -> UInt64 { number(Self.headCount + 8 * index) }

    /// Of the base subject; 0 if that is empty.
    var subject: UInt64 { number(32) }
    var isReplyOrForward: Bool { bits.contains(.isReplyOrForward) }

    private func length(_ text: Text) -> Int { Int(number(40 + 4 * text.rawValue) as UInt32) }

    /// What SORT compares; empty where there is nothing.
    func text(_ text: Text) -> UnsafeRawBufferPointer {
        var start = Self.headCount + 8 * referenceCount
        for before in Text.allCases where before.rawValue < text.rawValue { start += length(before) }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + length(text)])
    }

    /// Never 0. The same on every machine and for ever, since it is kept.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0x2D35_8DCC_AA6C_78A5
        func mix(_ word: UInt64) {
            let product = (hash ^ word).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low ^ 0xA076_1D64_78BD_642F
        }
        var at = 0
        while at < bytes.count {
            var word: UInt64 = 0
            if bytes.count - at >= 8 {
                word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            } else {
                for index in (at..<bytes.count).reversed() { word = word << 8 | UInt64(bytes[index]) }
            }
            mix(word)
            at += 8
        }
        mix(UInt64(bytes.count))
        return max(hash, 1)
    }

    /// Makes the bytes, of message after message.
    struct Writer {
        private let folder = CaseFolder()
        private var addresses = AddressList()
        /// The texts, folded, one after the other, and where each ends.
        private var folded: [UInt8] = []
        private var ends: [Int] = []
        private var references: [UInt64] = []

        /// Writes what the header tells into `output`, which is emptied first.
        mutating func write(_ header: MessageStructure, into output: inout [UInt8]) {
            let root = MessageStructure.root
            let date = header.value(.date, of: root).flatMap { MessageDate($0) }
            let subject = header.value(.subject, of: root).map { BaseSubject($0) }
            var bits: Bits = date == nil ? [] : .hasDate
            if subject?.isReplyOrForward == true { bits.insert(.isReplyOrForward) }
            folded.removeAll(keepingCapacity: true)
            ends.removeAll(keepingCapacity: true)
            if let subject { folder.fold(subject.text[...], into: &folded) }
            ends.append(folded.count)
            for name in [FieldName.from, .to, .cc] {
                foldMailbox(name, header)
                ends.append(folded.count)
            }
            findReferences(header)
            let id = header.value(.messageID, of: root).flatMap { MessageID.first($0) }

            output.removeAll(keepingCapacity: true)
            func append<T: FixedWidthInteger>(_ value: T) {
                withUnsafeBytes(of: value.littleEndian) { output.append(contentsOf: $0) }
            }
            append(format)
            output.append(contentsOf: [bits.rawValue, 0, 0, 0])
            append(date?.seconds ?? 0)
            append(Int32(clamping: date?.localDay ?? 0))
            append(UInt32(clamping: references.count))
            append(id.map(Self.hash) ?? 0)
            let subjectEnd = ends[0]
            let subjectHash = folded.withUnsafeBytes { MessageKeys.hash(UnsafeRawBufferPointer(rebasing: $0[..<subjectEnd])) }
            append(subjectEnd == 0 ? 0 : subjectHash)
            var start = 0
            for end in ends {
                append(UInt32(clamping: end - start))
                start = end
            }
            references.withUnsafeBytes { output.append(contentsOf: $0) }
            output.append(contentsOf: folded)
        }

        private static func hash(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { MessageKeys.hash($0) } }

        /// All of References:, or else the first of In-Reply-To:.
        private mutating func findReferences(_ header: MessageStructure) {
            references.removeAll(keepingCapacity: true)
            for value in header.values(.references, of: MessageStructure.root) {
                for id in MessageID.list(value) { references.append(Self.hash(id).littleEndian) }
            }
            if references.isEmpty, let value = header.value(.inReplyTo, of: MessageStructure.root),
               let first = MessageID.first(value) {
                references.append(Self.hash(first).littleEndian)
            }
        }

        /// addr-mailbox of the first address (RFC 5256 §3), as ENVELOPE would have it; nothing if there is none.
        private mutating func foldMailbox(_ name: FieldName, _ header: MessageStructure) {
            header.firstAddress(name, of: MessageStructure.root, into: &addresses)
            switch addresses.entries.first {
            case .mailbox(_, _, let mailbox, _)?: folder.fold(addresses[mailbox], into: &folded)
            case .groupStart(let name)?: folder.fold(addresses[name], into: &folded)
            case .groupEnd?, nil: break
            }
        }
    }
}
