import CLinux
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore

/// A Maildir in memory that each input finds as the first did.
enum Scratch {
    static let path: String = {
        var template = Array("/dev/shm/imapd-fuzz-XXXXXX".utf8CString)
        // Whoever runs this ends by exit(3), unless it crashes.
        atexit { _ = clinux_remove_tree(Scratch.path) }
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else { fatalError("no /dev/shm") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for name in ["cur", "new", "tmp", "courierimapkeywords"] { mkdir("\(path)/\(name)", 0o700) }
        for (number, flags) in ["", "S", "FS", "RT", "Sabz"].enumerated() {
            write("\(path)/cur/\(number + 1):2,\(flags)", Array("Subject: \(number)\n\nText\n".utf8))
        }
        return path
    }()
    nonisolated(unsafe) static let directory = Handle(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    static let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }

    static func put(_ name: String, _ bytes: [UInt8]) { write("\(path)/\(name)", bytes) }

    private static func write(_ path: String, _ bytes: [UInt8]) {
        let file = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else { fatalError("cannot write \(path)") }
        close(file)
    }

    /// Removes all but the messages.
    static func clear() {
        var names: [String] = []
        _ = forEachName(in: directory, hidden: true) { name, type in
            if type == 8 { names.append(String(decoding: name, as: UTF8.self)) }
        }
        for name in names { unlink("\(path)/\(name)") }
    }

    /// What a session does with INBOX, whatever its files say. It may refuse; it must not trap, nor, unless a file of ours with
    /// right checksums says so, have UIDs twice or out of order.
    static func visit(believingUIDs: Bool = false) {
        do throws(StoreError) {
            let store = try MaildirStore(path: path, logger: logger)
            for round in 0..<2 {
                let mailbox = try store.open(.inbox, readOnly: false)
                let uids = mailbox.uids
                precondition(believingUIDs || zip(uids, uids.dropFirst()).allSatisfy { $0 < $1 }, "UIDs are out of order")
                precondition(believingUIDs || uids.last.map { $0.rawValue < mailbox.uidNext || mailbox.uidNext == .max } ?? true,
                             "UIDNEXT was given")
                for uid in uids {
                    _ = mailbox.metadata(uid)
                    _ = try? mailbox.identity(uid)
                    _ = try? mailbox.details(uid)
                    _ = try? mailbox.content(uid)
                    for piece in KeptPiece.allCases { _ = mailbox.kept(uid, piece)?.reduce(0, &+) }
                }
                _ = try mailbox.expunged(since: ModSequence(1)!)
                if round == 0, let first = uids.first {
                    _ = try mailbox.store([first], FlagChange(.add, FlagSet(system: [.seen])), unchangedSince: nil)
                }
                _ = try mailbox.refresh()
            }
            while try store.tidy() {}
            _ = try store.status(.inbox, wantsSize: true)
            _ = try store.subscriptions()
        } catch {}
    }
}
