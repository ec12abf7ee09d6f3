import Glibc
import IMAPTypes
import MailMessage
import Maildir
import MailStore

/// A message of an mbox file: what of it is the message, and what programs have written about it into its header.
struct MboxMessage {
    let flags: FlagSet
    /// INTERNALDATE, in seconds since the epoch.
    let date: Int64
    /// Some programs keep a first message that is none, for what they know of the mailbox.
    let isInternal: Bool
    private let text: UnsafeRawBufferPointer
    private let headerEnd: Int

    /// Header fields that tell of flags or of the file, and are no part of the message.
    private static let states: Set<String> = ["status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase",
                                              "x-mozilla-status", "x-mozilla-status2", "x-mozilla-keys"]

    init(_ message: MboxReader.Message) {
        text = message.text
        var end = 0
        while end < text.count {
            let next = MboxReader.lineEnd(text, end)
            let isEmpty = next - end == 1 || next - end == 2 && text[end] == 0x0D
            end = next
            if isEmpty { break }
        }
        headerEnd = end
        var flags = FlagSet(), hasBase = false, sent: Int64?, subject = ""
        Self.forEachField(UnsafeRawBufferPointer(rebasing: text[..<end])) { name, value, _ in
            guard let value else { return }
            let text = String(decoding: value, as: UTF8.self).trimming
            switch name {
            case "status": if text.contains("R") { flags.system.insert(.seen) }
            case "x-status": Self.read(status: text, &flags.system)
            case "x-keywords", "x-mozilla-keys":
                for word in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" || $0.isNewline }) {
                    if let keyword = Keyword(String(word)) { flags.keywords.insert(keyword) }
                }
            case "x-mozilla-status": Self.read(mozilla: UInt32(text, radix: 16) ?? 0, &flags)
            case "x-imap", "x-imapbase": hasBase = true
            case "date": sent = sent ?? MessageDate(value)?.seconds
            case "subject": subject = text
            default: break
            }
        }
        self.flags = flags
        isInternal = hasBase && subject.contains("FOLDER INTERNAL DATA")
        date = Postmark.date(message.postmark) ?? sent ?? Int64(time(nil))
    }

    private static func read(status: String, _ flags: inout SystemFlags) {
        if status.contains("A") { flags.insert(.answered) }
        if status.contains("F") { flags.insert(.flagged) }
        if status.contains("D") { flags.insert(.deleted) }
        if status.contains("T") { flags.insert(.draft) }
    }

    /// Bits of Thunderbird's.
    private static func read(mozilla bits: UInt32, _ flags: inout FlagSet) {
        if bits & 0x0001 != 0 { flags.system.insert(.seen) }
        if bits & 0x0002 != 0 { flags.system.insert(.answered) }
        if bits & 0x0004 != 0 { flags.system.insert(.flagged) }
        // Expunged there, and still in the file.
        if bits & 0x0008 != 0 { flags.system.insert(.deleted) }
        if bits & 0x1000 != 0, let forwarded = Keyword("$Forwarded") { flags.keywords.insert(forwarded) }
    }

    /// The message as it was before it came into the mbox.
    func write(to target: MaildirImport) throws(StoreError) {
        var problem: StoreError?
        func pass(_ bytes: UnsafeRawBufferPointer) {
            guard problem == nil, !bytes.isEmpty else { return }
            do throws(StoreError) { try target.write(bytes) } catch { problem = error }
        }
        let header = UnsafeRawBufferPointer(rebasing: text[..<headerEnd])
        Self.forEachField(header) { name, _, whole in
            if !Self.states.contains(name) { Self.unquote(UnsafeRawBufferPointer(rebasing: header[whole]), pass) }
        }
        Self.unquote(UnsafeRawBufferPointer(rebasing: text[headerEnd...]), pass)
        if let problem { throw problem }
    }

    /// Stretches of a header: fields with their names in lower case, and what is none, with an empty name and no value.
    private static func forEachField(
        _ header: UnsafeRawBufferPointer, _ body: (String, _ value: ArraySlice<UInt8>?, _ whole: Range<Int>) -> Void
    ) {
        var at = 0
        while at < header.count {
            let start = at
            at = MboxReader.lineEnd(header, at)
            let colon = header[start..<at].firstIndex(of: UInt8(ascii: ":"))
            while colon != nil, at < header.count, header[at] == 0x20 || header[at] == 0x09 {
                at = MboxReader.lineEnd(header, at)
            }
            if let colon, colon > start, header[start..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                let name = String(decoding: header[start..<colon], as: UTF8.self).lowercased()
                body(name, Array(header[(colon + 1)..<at])[...], start..<at)
            } else {
                body("", nil, start..<at)
            }
        }
    }

    /// A `>` goes from the start of lines that would otherwise begin a message.
    private static func unquote(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        var at = 0, start = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: ">"), isQuoted(bytes, at) {
                body(UnsafeRawBufferPointer(rebasing: bytes[start..<at]))
                start = at + 1
            }
            at = MboxReader.lineEnd(bytes, at)
        }
        body(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    /// Whether one `>` or more and `From ` stand here.
    static func isQuoted(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Bool {
        var at = start
        while at < bytes.count, bytes[at] == UInt8(ascii: ">") { at += 1 }
        return bytes.count - at >= 5 && bytes[at..<at + 5].elementsEqual("From ".utf8)
    }
}

extension String {
    fileprivate var trimming: String {
        let isSpace = { (character: Character) in character.isWhitespace || character.isNewline }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
