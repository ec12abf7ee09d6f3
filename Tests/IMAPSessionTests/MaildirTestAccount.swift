import Foundation
import Glibc
import IMAPTypes
import Logging
import Maildir
import MailStore

/// A Maildir in a directory of its own, which goes with the last connection to it.
final class MaildirTestAccount: TestAccount {
    private let path: String
    private let separator: Character

    init(separator: Character) throws {
        self.separator = separator
        path = FileManager.default.temporaryDirectory.appendingPathComponent("imapd-transcript-\(UUID().uuidString)").path
        _ = try openStore()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func openStore() throws -> any MailStore {
        var logger = Logger(label: "transcript")
        logger.logLevel = .error
        return try MaildirStore(path: path, separator: separator, logger: logger)
    }

    /// Into `tmp` first, then into `new`; with the line ends of Unix.
    func deliver(_ message: [UInt8], to mailbox: MailboxName) throws {
        let name = "\(Int(Date().timeIntervalSince1970)).\(UUID().uuidString).example"
        let directory = directory(of: mailbox)
        var text = Data()
        for (at, byte) in message.enumerated() where byte != 0x0D || at + 1 == message.count || message[at + 1] != 0x0A {
            text.append(byte)
        }
        try text.write(to: URL(fileURLWithPath: "\(directory)/tmp/\(name)"))
        guard rename("\(directory)/tmp/\(name)", "\(directory)/new/\(name)") == 0 else { throw TestFailure("rename to new") }
    }

    func setFlags(_ letters: String, subject: String, in mailbox: MailboxName) throws {
        let (folder, name) = try file(subject: subject, in: mailbox)
        let base = name.prefix { $0 != ":" }
        let directory = directory(of: mailbox)
        guard rename("\(directory)/\(folder)/\(name)", "\(directory)/cur/\(base):2,\(String(letters.sorted()))") == 0 else {
            throw TestFailure("rename for flags")
        }
    }

    func remove(subject: String, in mailbox: MailboxName) throws {
        let (folder, name) = try file(subject: subject, in: mailbox)
        guard unlink("\(directory(of: mailbox))/\(folder)/\(name)") == 0 else { throw TestFailure("unlink") }
    }

    private func file(subject: String, in mailbox: MailboxName) throws -> (folder: String, name: String) {
        let directory = directory(of: mailbox)
        for folder in ["cur", "new"] {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(folder)") {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(folder)/\(name)"))
                if Array(bytes).hasSubject(subject) { return (folder, name) }
            }
        }
        throw TestFailure("no file has the subject \(subject)")
    }

    /// Of a mailbox with a name of ASCII.
    private func directory(of mailbox: MailboxName) -> String {
        mailbox.isInbox ? path : path + "/." + mailbox.string.split(separator: separator).joined(separator: ".")
    }
}
