import ArgumentParser
import IMAPTypes
import MailStore
import Maildir

struct Dump: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what imapd's files of a mailbox say, a line for each thing, for whoever looks for a fault.",
        discussion: """
            Files are read as they are, without a lock, and nothing is changed. Flags are letters, as in the names of files. \
            Exit status: 1 if something is damaged.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: FormatOptions

    @Option(name: .customLong("part"), help: ArgumentHelp(
        "Only this: account, lock, index, log or cache; may be given several times.", valueName: "file"))
    var parts: [DumpPart] = []

    @Flag(help: "Index and log of the generation before, which are kept for repairs.")
    var old = false

    @Argument(help: "The mailbox.")
    var mailbox: String

    func run() throws {
        try command { () throws(ControlFailure) in
            let inspection = try options.enter().inspect(), isJSON = output.json
            guard let name = MailboxName(mailbox) else { throw ControlFailure("\"\(mailbox)\" cannot be the name of a mailbox") }
            var isDamaged = false
            do throws(StoreError) {
                let dump = try MailboxDump(inspection, name) { record in
                    if record.kind == "damage" { isDamaged = true }
                    Output.line(isJSON ? record.json.text : record.line)
                }
                for part in parts.isEmpty ? DumpPart.allCases : parts { try dump.show(part, old: old) }
            } catch {
                throw ControlFailure(error)
            }
            return isDamaged ? Outcome.problems : Outcome.clean
        }
    }
}

extension DumpPart: ExpressibleByArgument {}

extension DumpRecord {
    /// `kind name=value …`; what has spaces is quoted, and what is empty is left out.
    fileprivate var line: String {
        let pairs = fields.compactMap { name, value -> String? in
            let text = switch value {
            case .number(let number): String(number)
            case .date(let seconds): Timestamp.text(seconds)
            case .flag(let flag): flag ? "yes" : "no"
            case .text(let text): text.contains(" ") ? JSON.string(Output.safe(text)).text : Output.safe(text)
            }
            return text.isEmpty ? nil : " \(name)=\(text)"
        }
        return kind + pairs.joined()
    }

    fileprivate var json: JSON {
        .object([("kind", .string(kind))] + fields.map { name, value in
            switch value {
            case .number(let number): (name, .number(number))
            case .date(let seconds): (name, .string(Timestamp.text(seconds)))
            case .flag(let flag): (name, .bool(flag))
            case .text(let text): (name, text.isEmpty ? .null : .string(text))
            }
        })
    }
}
