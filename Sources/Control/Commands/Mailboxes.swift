import ArgumentParser
import IMAPTypes
import MailStore
import Maildir

struct Mailboxes: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the mailboxes of an account in numbers.",
        discussion: "Nothing is changed: messages that came since a client last looked stay recent and have no UID yet.")

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "Names of mailboxes; all, if there is none.")
    var mailboxes: [String] = []

    func run() throws {
        try command { () throws(ControlFailure) in
            let place = try options.enter()
            let reports = try reports(place)
            if output.json { Output.line(text(reports, place).text) } else { table(reports).lines.forEach(Output.line) }
            return Outcome.clean
        }
    }

    private func reports(_ place: Place) throws(ControlFailure) -> [MailboxReport] {
        let inspection = try place.inspect()
        var reports: [MailboxReport] = []
        do throws(StoreError) {
            try inspection.forEachMailbox { mailbox in
                guard mailboxes.isEmpty || mailboxes.contains(where: { MailboxName($0) == mailbox.name }) else { return }
                let bar = Progress(mailbox.name.string, total: mailbox.messages, quiet: output.quiet)
                reports.append(mailbox.report { bar.advance() })
            }
        } catch {
            throw ControlFailure(error)
        }
        for name in mailboxes where !reports.contains(where: { $0.name == MailboxName(name) }) {
            throw ControlFailure("there is no mailbox \(name)")
        }
        return reports
    }

    private func table(_ reports: [MailboxReport]) -> Table {
        var table = Table([
            ("MAILBOX", false), ("MESSAGES", true), ("UNSEEN", true), ("RECENT", true), ("SIZE", true), ("UIDVALIDITY", true),
            ("UIDNEXT", true), ("HIGHESTMODSEQ", true), ("FILES", true), ("USE", false), ("SUBSCRIBED", false), ("SERVER", false),
        ])
        func cell(_ number: (some BinaryInteger)?) -> String { number.map { "\($0)" } ?? "-" }
        for report in reports {
            table.add([
                report.name.string, "\(report.messages)", "\(report.unseen)", "\(report.recent)", Table.bytes(report.size),
                cell(report.uidValidity), cell(report.uidNext), cell(report.highestModSequence), Table.bytes(report.sideFiles),
                report.use?.rawValue ?? "-", report.isSubscribed ? "yes" : "no", report.server ?? "-",
            ])
        }
        return table
    }

    private func text(_ reports: [MailboxReport], _ place: Place) -> JSON {
        .object([
            ("user", JSON(place.user)), ("maildir", .string(place.path)),
            ("mailboxes", .array(reports.map { report in
                .object([
                    ("name", .string(report.name.string)), ("messages", JSON(report.messages)), ("unseen", JSON(report.unseen)),
                    ("recent", JSON(report.recent)), ("size", .number(report.size)), ("uidvalidity", JSON(report.uidValidity)),
                    ("uidnext", JSON(report.uidNext)), ("highestmodseq", JSON(report.highestModSequence)),
                    ("files", .number(report.sideFiles)), ("use", JSON(report.use?.rawValue)),
                    ("subscribed", .bool(report.isSubscribed)), ("server", JSON(report.server)),
                ])
            })),
        ])
    }
}
