import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct DeleteExpired: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-expired",
        abstract: "Deletes old messages from mailboxes such as Trash; without --yes only says which.",
        discussion: """
            A message's age counts from when it came into the mailbox. Sessions that have the mailbox open hear that the \
            messages are gone, as if another client had expunged them.
            """)

    enum Clock: String, ExpressibleByArgument, CaseIterable {
        case saved, received
    }

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("What is older goes: a number with m, h, d, w or y behind it, such as 30d.", valueName: "age"))
    var olderThan: Age

    @Option(help: ArgumentHelp(
        "From when on: saved, as it came into this mailbox, or received, as INTERNALDATE says.", valueName: "clock"))
    var by = Clock.saved

    @Flag(help: "Delete them.")
    var yes = false

    @Flag(help: "Messages with \\Flagged stay.")
    var keepFlagged = false

    @Flag(help: "It is no error if there is no such mailbox.")
    var missingOk = false

    @Flag(help: "Every user who has a Maildir. Needs root; implies --missing-ok.")
    var all = false

    @Argument(help: ArgumentHelp("Names of mailboxes, or special uses such as \\Trash.", valueName: "mailbox"))
    var mailboxes: [String]

    func validate() throws { try options.validate(all: all) }

    func run() throws {
        if all { throw try EveryUser(options: options).run("delete-expired", words, output) }
        try command { () throws(ControlFailure) in
            let store = try options.enter().open()
            for name in try store.mailboxes(named: mailboxes, isMissingAllowed: missingOk) { try delete(name, store) }
            return Outcome.clean
        }
    }

    private var words: [String] {
        ["--missing-ok", "--older-than", "\(olderThan.seconds / 60)m", "--by", by.rawValue]
            + (yes ? ["--yes"] : []) + (keepFlagged ? ["--keep-flagged"] : []) + ["--"] + mailboxes
    }

    /// So many at a time: sessions must not wait long for the mailbox.
    private static let batch = 500

    private func delete(_ name: MailboxName, _ store: MaildirStore) throws(ControlFailure) {
        do throws(StoreError) {
            let mailbox = try store.open(name, readOnly: !yes)
            let (expired, bytes) = try expired(in: mailbox)
            var deleted = 0
            if yes {
                let bar = Progress(name.string, total: expired.count, quiet: output.quiet)
                for start in stride(from: 0, to: expired.count, by: Self.batch) {
                    let gone = try mailbox.expunge(Array(expired[start..<min(start + Self.batch, expired.count)]))
                    deleted += gone.count
                    bar.advance(by: gone.count)
                }
            }
            let number = expired.count == 1 ? "1 message" : "\(expired.count) messages"
            let what = yes ? "deleted" : "would be deleted; --yes deletes"
            output.tell("\(Output.safe(name.string)): \(number) (\(Table.bytes(bytes))) \(what)", [
                ("mailbox", .string(name.string)), ("expired", JSON(expired.count)), ("bytes", .number(bytes)),
                ("deleted", JSON(deleted)),
            ])
        } catch {
            throw ControlFailure(error)
        }
    }

    private func expired(in mailbox: any OpenMailbox) throws(StoreError) -> (uids: [UID], bytes: UInt64) {
        let limit = Int64(time(nil)) - olderThan.seconds
        let bar = Progress(mailbox.name.string, total: mailbox.uids.count, quiet: output.quiet)
        var found: [UID] = []
        var bytes: UInt64 = 0
        for uid in mailbox.uids {
            bar.advance()
            guard let metadata = mailbox.metadata(uid), !metadata.isExpunged, !(keepFlagged && metadata.flags.contains(.flagged))
            else { continue }
            do throws(StoreError) {
                let date = switch by {
                case .saved: try mailbox.identity(uid).saveDate
                case .received: try mailbox.details(uid).internalDate
                }
                guard date < limit else { continue }
                bytes &+= try mailbox.details(uid).size
                found.append(uid)
            } catch .messageGone {
                // Somebody was faster.
            }
        }
        return (found, bytes)
    }
}
