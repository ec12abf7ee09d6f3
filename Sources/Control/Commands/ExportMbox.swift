import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct ExportMbox: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mbox", abstract: "Writes each mailbox into a file.",
        discussion: "Flags and keywords are told as Status, X-Status and X-Keywords, which mutt and others read.")

    @OptionGroup var options: CopyOptions

    @Flag(help: "Write over files that are there.")
    var force = false

    func run() throws {
        try command { () throws(ControlFailure) in
            let store = try options.account.enter().open()
            let names = try store.mailboxes(named: options.mailboxes.isEmpty ? nil : options.mailboxes)
            guard mkdir(options.target, 0o700) == 0 || errno == EEXIST else {
                throw ControlFailure("creating \(options.target): \(String(cString: strerror(errno)))")
            }
            do throws(StoreError) {
                for name in names { try write(name, store) }
            } catch {
                throw ControlFailure(error)
            }
            return Outcome.clean
        }
    }

    private func write(_ name: MailboxName, _ store: MaildirStore) throws(StoreError) {
        let path = options.target + "/" + Self.fileName(name)
        if !force, access(path, F_OK) == 0 { throw .notPermitted(reason: "there is a file \(path); --force writes over it") }
        let mailbox = try store.open(name, readOnly: true), uids = mailbox.uids
        let bar = Progress(name.string, total: uids.count, quiet: options.output.quiet)
        let file = try MboxWriter(path: path)
        var written = 0
        for uid in uids {
            bar.advance()
            guard let metadata = mailbox.metadata(uid) else { continue }
            let keywords = mailbox.keywords.indices.filter { metadata.keywords[$0] }.map { mailbox.keywords[$0] }
            do throws(StoreError) {
                try file.add(mailbox.content(uid), FlagSet(system: metadata.flags, keywords: Set(keywords)),
                             date: mailbox.details(uid).internalDate)
                written += 1
            } catch .messageGone {
                // Somebody removed it meanwhile.
            }
        }
        try file.finish()
        bar.end()
        options.output.tell("\(Output.safe(name.string)): \(written) messages in \(Output.safe(path))", [
            ("mailbox", .string(name.string)), ("messages", JSON(written)), ("file", .string(path)),
        ])
    }

    /// The mailbox's name, with what a file's name cannot hold written as in URLs.
    static func fileName(_ name: MailboxName) -> String {
        let text = name.string.replacing("%", with: "%25").replacing("/", with: "%2F")
        return (text.first == "." ? "%2E" + text.dropFirst() : text) + ".mbox"
    }
}
