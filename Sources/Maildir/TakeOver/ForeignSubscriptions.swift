import Glibc
import IMAPTypes
import MailStore

/// The subscriptions that Dovecot (`subscriptions`, versions 1 and 2) or Courier (`courierimapsubscribed`) left in a Maildir.
struct ForeignSubscriptions {
    let server: TakeOver.Server
    /// In their order, none twice. Names without a mailbox stay, as they do with those servers.
    let folders: [FolderName]
    /// Whether both servers left some. The later counts.
    let isChoice: Bool

    static let dovecotName = Array("subscriptions".utf8)
    static let courierName = Array("courierimapsubscribed".utf8)
    private static let longest = 1 << 24

    /// `nil` if neither left any. `exists` tells whether there is such a folder.
    init?(in maildir: Handle, exists: (FolderName) -> Bool) throws(StoreError) {
        let dovecot = try maildir.readForeign(Self.dovecotName, longest: Self.longest)
        let courier = try maildir.readForeign(Self.courierName, longest: Self.longest)
        isChoice = dovecot != nil && courier != nil
        var seen = Set<FolderName>()
        if let dovecot, dovecot.modified >= courier?.modified ?? .min {
            server = .dovecot
            folders = Self.dovecotNames(dovecot.bytes).compactMap { line in
                guard let folder = Self.folder(line) else { return nil }
                // A prefix under which the server showed all mailboxes is no level here, even if it was written down.
                let short = Self.withoutPrefix(line).flatMap { Self.folder($0) }
                if let short, !exists(folder), exists(short) { return short }
                return folder
            }.filter { seen.insert($0).inserted }
        } else if let courier {
            server = .courier
            folders = courier.bytes.split(separator: 0x0A).compactMap { line in
                // What is not below INBOX is somebody else's, or shared.
                Self.isInbox(line) ? .inbox : Self.withoutPrefix(Array(line)).flatMap { Self.folder($0) }
            }.filter { seen.insert($0).inserted }
        } else {
            return nil
        }
    }

    private static func isInbox(_ name: some Collection<UInt8>) -> Bool { name.elementsEqual("inbox".utf8) { $0 | 0x20 == $1 } }

    /// What follows `INBOX.`; `nil` if the name does not begin so.
    private static func withoutPrefix(_ line: [UInt8]) -> [UInt8]? {
        line.count > 6 && isInbox(line[..<5]) && line[5] == UInt8(ascii: ".") ? Array(line[6...]) : nil
    }

    /// The folder, unless its name could not stand on a line of ours.
    private static func folder(_ line: [UInt8]) -> FolderName? {
        line.contains { $0 < 0x20 || $0 == 0x7F } ? nil : isInbox(line) ? .inbox : FolderName(line: line)
    }

    /// Names as on the disk, without the dot at the beginning. Version 1 has one a line. Version 2 has tabs between levels, and
    /// characters that this could be confused with as a 0x01 and a letter; it begins with a version and an empty line.
    private static func dovecotNames(_ bytes: [UInt8]) -> [[UInt8]] {
        let start = Array("V\t2\n\n".utf8)
        guard bytes.starts(with: start) else { return bytes.split(separator: 0x0A).map { Array($0) } }
        return bytes[start.count...].split(separator: 0x0A).map { line in
            let levels = line.split(separator: 0x09, omittingEmptySubsequences: false)
            return Array(levels.map(unescaped).joined(separator: [UInt8(ascii: ".")]))
        }
    }

    private static func unescaped(_ level: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in level {
            if isEscaped {
                switch byte {
                case UInt8(ascii: "0"): result.append(0)
                case UInt8(ascii: "1"): result.append(1)
                case UInt8(ascii: "t"): result.append(0x09)
                case UInt8(ascii: "r"): result.append(0x0D)
                case UInt8(ascii: "n"): result.append(0x0A)
                default: result.append(byte)
                }
                isEscaped = false
            } else if byte == 1 {
                isEscaped = true
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
