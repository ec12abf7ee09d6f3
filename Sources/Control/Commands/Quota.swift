import ArgumentParser
import FoundationEssentials
import IMAPTypes
import MailStore
import Maildir

struct Quota: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how many messages and bytes there are, by mailbox or by user.",
        discussion: "Nothing is changed. Sizes are those that clients see, with every line end as two bytes.")

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Every user who has a Maildir, a line for each, the largest first. Needs root.")
    var all = false

    func validate() throws { try options.validate(all: all) }

    func run() throws {
        if all { throw try everybody() }
        try command { () throws(ControlFailure) in
            let place = try options.enter(), inspection = try place.inspect()
            var reports: [MailboxReport] = []
            do throws(StoreError) {
                try inspection.forEachMailbox { mailbox in
                    let bar = Progress(mailbox.name.string, total: mailbox.messages, quiet: output.quiet)
                    reports.append(mailbox.report { bar.advance() })
                }
            } catch {
                throw ControlFailure(error)
            }
            tell(reports, place)
            return Outcome.clean
        }
    }

    private func tell(_ reports: [MailboxReport], _ place: Place) {
        let messages = reports.reduce(0) { $0 + $1.messages }, bytes = reports.reduce(0) { $0 &+ $1.size }
        if output.json {
            return Output.line(JSON.object([
                ("user", JSON(place.user)), ("maildir", .string(place.path)), ("messages", JSON(messages)),
                ("bytes", .number(bytes)),
                ("mailboxes", .array(reports.map { report in
                    .object([
                        ("name", .string(report.name.string)), ("messages", JSON(report.messages)),
                        ("bytes", .number(report.size)),
                    ])
                })),
            ]).text)
        }
        var table = Table([("MAILBOX", false), ("MESSAGES", true), ("BYTES", true), ("SIZE", true)])
        for report in reports {
            table.add([report.name.string, "\(report.messages)", "\(report.size)", Table.bytes(report.size)])
        }
        table.add(["total", "\(messages)", "\(bytes)", Table.bytes(bytes)])
        table.lines.forEach(Output.line)
    }

    private struct Total: Decodable {
        let messages: Int, bytes: UInt64
    }

    private func everybody() throws -> ExitCode {
        let (outputs, worst) = try EveryUser(options: options).collect("quota")
        if output.json {
            for (_, text) in outputs { Output.write(String(decoding: text, as: UTF8.self), to: 1) }
            return worst
        }
        let totals = outputs.compactMap { user, text in
            (try? JSONDecoder().decode(Total.self, from: Data(text))).map { (user: user, total: $0) }
        }
        var table = Table([("USER", false), ("MESSAGES", true), ("BYTES", true), ("SIZE", true)])
        for (user, total) in totals.sorted(by: { ($1.total.bytes, $0.user) < ($0.total.bytes, $1.user) }) {
            table.add([user, "\(total.messages)", "\(total.bytes)", Table.bytes(total.bytes)])
        }
        table.lines.forEach(Output.line)
        return worst
    }
}
