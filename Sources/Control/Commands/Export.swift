import ArgumentParser
import IMAPTypes
import MailStore
import Maildir

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Gives a user's mail to other programs.",
        subcommands: [ExportDovecot.self, ExportCourier.self, ExportMbox.self, ExportMaildir.self])
}

/// What is copied, and where to.
struct CopyOptions: ParsableArguments {
    @OptionGroup var account: AccountOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The directory to write into; it is made if there is none.")
    var target: String

    @Argument(help: "Names of mailboxes; all, if there is none.")
    var mailboxes: [String] = []
}

struct ExportDovecot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dovecot", abstract: "Writes the files with which Dovecot goes on where imapd ends.",
        discussion: "imapd must not serve the user any more, and Dovecot not yet. See imapd-migrate(7).")

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try command { () throws(ControlFailure) in
            let store = try options.enter().open()
            let bar = Progress("mailboxes", total: 0, quiet: output.quiet)
            do throws(StoreError) {
                let result = try store.exportDovecot { _ in bar.advance() }
                bar.end()
                tellLost(result.lostKeywords, "Dovecot has room for 26 keywords in a mailbox; these are lost")
                output.tell("\(result.mailboxes) mailboxes with \(result.messages) messages are ready for Dovecot", [
                    ("mailboxes", JSON(result.mailboxes)), ("messages", JSON(result.messages)),
                    ("lost_keywords", JSON(result.lostKeywords)),
                ])
                return result.lostKeywords.isEmpty ? Outcome.clean : Outcome.problems
            } catch {
                throw ControlFailure(error)
            }
        }
    }
}

struct ExportCourier: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "courier", abstract: "Writes the files with which Courier goes on where imapd ends.",
        discussion: "imapd must not serve the user any more, and Courier not yet. See imapd-migrate(7).")

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Leave folder names in modified UTF-7, for Courier-IMAP before version 5.")
    var utf7 = false

    func run() throws {
        try command { () throws(ControlFailure) in
            let store = try options.enter().open()
            let bar = Progress("mailboxes", total: 0, quiet: output.quiet)
            do throws(StoreError) {
                let result = try store.exportCourier(utf8: !utf7) { _ in bar.advance() }
                bar.end()
                for mailbox in result.strangeNames {
                    Output.error("\(Output.safe(mailbox.string)): Courier shows this mailbox under another name")
                }
                if !output.quiet, !output.json {
                    for folder in result.renamed { Output.line("the folder .\(Output.safe(folder)) has its name in UTF-8 now") }
                }
                output.tell("\(result.mailboxes) mailboxes with \(result.messages) messages are ready for Courier", [
                    ("mailboxes", JSON(result.mailboxes)), ("messages", JSON(result.messages)),
                    ("renamed", .array(result.renamed.map { .string($0) })),
                    ("strange_names", .array(result.strangeNames.map { .string($0.string) })),
                ])
                return result.strangeNames.isEmpty ? Outcome.clean : Outcome.problems
            } catch {
                throw ControlFailure(error)
            }
        }
    }
}

struct ExportMaildir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maildir", abstract: "Copies mailboxes into another Maildir.",
        discussion: """
            Flags are in the names of files, keywords too, as Dovecot has them there. What the other Maildir has already \
            under the same name stays as it is.
            """)

    @OptionGroup var options: CopyOptions

    func run() throws {
        try command { () throws(ControlFailure) in
            let store = try options.account.enter().open(), output = options.output
            let names = try options.mailboxes.isEmpty ? [] : store.mailboxes(named: options.mailboxes)
            var bar: (mailbox: MailboxName, progress: Progress)?
            do throws(StoreError) {
                let result = try store.exportMaildir(to: options.target, names) { mailbox, done, total in
                    if bar?.mailbox != mailbox { bar = (mailbox, Progress(mailbox.string, total: total, quiet: output.quiet)) }
                    bar?.progress.advance()
                }
                bar = nil
                tellLost(result.lostKeywords, "26 keywords fit the names of files; these do not")
                let there = result.known > 0 ? ", \(result.known) were there already" : ""
                output.tell("\(result.messages) messages of \(result.mailboxes) mailboxes copied\(there)", [
                    ("mailboxes", JSON(result.mailboxes)), ("messages", JSON(result.messages)), ("known", JSON(result.known)),
                    ("lost_keywords", JSON(result.lostKeywords)),
                ])
                return result.lostKeywords.isEmpty ? Outcome.clean : Outcome.problems
            } catch {
                throw ControlFailure(error)
            }
        }
    }
}

/// Keywords that cannot come along.
private func tellLost(_ lost: [MailboxName: [Keyword]], _ reason: String) {
    for (mailbox, keywords) in lost.sorted(by: { $0.key.string < $1.key.string }) {
        Output.error("\(Output.safe(mailbox.string)): \(reason): \(keywords.map(\.name).joined(separator: " "))")
    }
}

extension JSON {
    fileprivate init(_ lost: [MailboxName: [Keyword]]) {
        let mailboxes = lost.sorted { $0.key.string < $1.key.string }
        self = .object(mailboxes.map { ($0.key.string, .array($0.value.map { .string($0.name) })) })
    }
}
