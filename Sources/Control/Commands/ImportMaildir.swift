import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct ImportMaildir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maildir", abstract: "From another Maildir and the mailboxes in it.",
        discussion: """
            It may be that of imapd, Dovecot, Courier or no server, with folders as .a.b (Maildir++) or as directories within \
            directories. It is only read. A user must be able to read it.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp(
        "The mailbox for the messages at the top, and above all the others; by default INBOX, and none.", valueName: "name"))
    var mailbox: String?

    @Argument(help: "The Maildir.")
    var source: String

    func run() throws {
        try command { () throws(ControlFailure) in
            let place = try options.enter()
            guard !Self.isSame(source, place.opened) else { throw ControlFailure("\(source) is the Maildir to import into") }
            let store = try place.open()
            do throws(StoreError) {
                for mailbox in try MaildirSource(path: source).mailboxes {
                    let name = try name(mailbox.levels, place.separator)
                    let count = try copy(mailbox, to: name, store)
                    count.tell(([source] + mailbox.levels).joined(separator: " "), name, output)
                }
            } catch {
                throw ControlFailure(error)
            }
            return Outcome.clean
        }
    }

    private static func isSame(_ first: String, _ second: String) -> Bool {
        var one = stat(), other = stat()
        return stat(first, &one) == 0 && stat(second, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev
    }

    private func name(_ levels: [String], _ separator: Character) throws(StoreError) -> MailboxName {
        let all = (mailbox.map { [$0] } ?? []) + levels
        let text = all.isEmpty ? "INBOX" : all.joined(separator: String(separator))
        guard let name = MailboxName(text) else { throw .notPermitted(reason: "\"\(text)\" cannot be the name of a mailbox") }
        return name
    }

    private func copy(
        _ source: MaildirSource.Mailbox, to name: MailboxName, _ store: MaildirStore
    ) throws(StoreError) -> ImportCount {
        let messages = try source.messages()
        let bar = Progress(name.string, total: messages.count, quiet: output.quiet)
        let target = try MaildirImport(store, into: name)
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        try messages.forEach { (message) throws(StoreError) in
            bar.advance()
            target.begin(flags: message.flags, date: message.date)
            var offset: UInt64 = 0
            while offset < message.content.size {
                var got = 0
                var problem: StoreError?
                buffer.withUnsafeMutableBytes { bytes in
                    do throws(StoreError) {
                        got = try message.content.read(at: offset, into: bytes)
                        try target.write(UnsafeRawBufferPointer(rebasing: bytes[..<got]))
                    } catch {
                        problem = error
                    }
                }
                if let problem { throw problem }
                offset += UInt64(got)
            }
            try target.end()
        }
        try target.commit()
        return ImportCount(imported: target.imported, alreadyThere: target.alreadyThere)
    }
}
