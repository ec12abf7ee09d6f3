import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct Undelete: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings back messages that were expunged, if imapd keeps them for a while.",
        discussion: """
            imapd's setting expunge-delay tells how long it does. They come back as new messages, with flags, keywords and \
            dates, but without \\Deleted.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Only show them.")
    var list = false

    @Option(help: ArgumentHelp(
        "Those that were expunged no longer ago: a number with m, h, d, w or y behind it.", valueName: "age"))
    var within: Age?

    @Option(help: ArgumentHelp("Those that had these UIDs, such as 17,20:25.", valueName: "set"))
    var uid: String?

    @Option(help: ArgumentHelp("Put them into this mailbox, and not into that from which they were expunged.", valueName: "name"))
    var to: String?

    @Argument(help: ArgumentHelp("Names of mailboxes; all, if there is none.", valueName: "mailbox"))
    var mailboxes: [String] = []

    func run() throws {
        try command { () throws(ControlFailure) in
            let uids = try chosen(), store = try options.enter().open()
            let target = try to.map { (name) throws(ControlFailure) in try store.mailboxes(named: [name]).first }
            var table = Table([
                ("MAILBOX", false), ("UID", true), ("EXPUNGED", false), ("SIZE", true), ("FLAGS", false), ("FROM", false),
                ("SUBJECT", false),
            ])
            var found = 0
            for name in try store.mailboxes(named: mailboxes.isEmpty ? nil : mailboxes) {
                do throws(StoreError) {
                    let limit = within.map { Int64(time(nil)) - $0.seconds } ?? .min
                    let messages = try store.expunged(from: name).filter { message in
                        message.time >= limit && uids.map { $0.contains(message.uid) } ?? true
                    }
                    found += messages.count
                    if list {
                        for message in messages { try show(message, name, store, &table) }
                    } else if !messages.isEmpty {
                        try restore(messages, name, (target ?? nil) ?? name, store)
                    }
                } catch {
                    throw ControlFailure(error)
                }
            }
            if list, found > 0, !output.json { table.lines.forEach(Output.line) }
            return found > 0 ? Outcome.clean : Outcome.problems
        }
    }

    private func chosen() throws(ControlFailure) -> UIDSet? {
        guard let uid else { return nil }
        var set = UIDSet()
        for range in uid.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = range.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0).flatMap { UID($0) } }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else {
                throw ControlFailure("\"\(uid)\" is no set of UIDs, such as 17,20:25")
            }
            set.insert(min(first, last)...max(first, last))
        }
        return set
    }

    private func show(
        _ message: ExpungedMessage, _ name: MailboxName, _ store: MaildirStore, _ table: inout Table
    ) throws(StoreError) {
        let words = message.flags.system.names + message.flags.keywords.map(\.name).sorted()
        if output.json {
            return Output.line(JSON.object([
                ("mailbox", .string(name.string)), ("uid", JSON(message.uid.rawValue)),
                ("expunged", .string(Timestamp.text(message.time))), ("size", .number(message.size)),
                ("flags", .array(words.map { .string($0) })), ("date", .string(Timestamp.text(message.date))),
            ]).text)
        }
        do throws(StoreError) {
            let fields = HeaderFields(try store.content(message, from: name))
            table.add([
                name.string, "\(message.uid.rawValue)", Timestamp.text(message.time), Table.bytes(message.size),
                words.joined(separator: " "), fields.from, fields.subject,
            ])
        } catch .messageGone {
            // For good, just now.
        }
    }

    private func restore(
        _ messages: [ExpungedMessage], _ name: MailboxName, _ target: MailboxName, _ store: MaildirStore
    ) throws(StoreError) {
        let uids = try store.undelete(messages, from: name, to: target)
        let number = uids.count == 1 ? "1 message" : "\(uids.count) messages"
        let place = target == name ? "" : " in \(Output.safe(target.string))"
        output.tell("\(Output.safe(name.string)): \(number) back\(place)", [
            ("mailbox", .string(name.string)), ("into", .string(target.string)), ("restored", JSON(uids.count)),
            ("uids", .array(uids.map { JSON($0.rawValue) })),
        ])
    }
}
