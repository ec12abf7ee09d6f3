import ArgumentParser
import IMAPGrammar
import IMAPSession
import IMAPTypes
import MailMessage
import MailStore
import Maildir

struct Search: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds messages, by the keys of IMAP's SEARCH.",
        discussion: """
            Such as: imapctl search INBOX UNSEEN FROM joe SUBJECT "two words" SINCE 1-Nov-2026. What follows BCC, BODY, CC, \
            FROM, HEADER, SUBJECT, TEXT and TO is a text; parentheses are words of their own. Exit status: 0 if something was \
            found, 1 if nothing was, 2 if it could not be found out.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "In every mailbox: no name of one is given then.")
    var all = false

    @Flag(help: "Only UIDs, a line for each, behind the mailbox's name and a tab.")
    var uids = false

    @Argument(help: ArgumentHelp(
        "The mailbox, and search keys (RFC 9051, section 6.4.4). Without keys, all messages.", valueName: "words"))
    var words: [String] = []

    func validate() throws {
        if !all, words.isEmpty { throw ValidationError("Name a mailbox, or say --all.") }
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            let keys = all ? words[...] : words.dropFirst()
            let program = keys.isEmpty ? "ALL" : SearchKeys.program(Array(keys))
            let search: MailboxSearch
            do throws(SyntaxError) { search = try MailboxSearch(Array(program.utf8)) } catch {
                throw ControlFailure(SearchKeys.words(error, in: program))
            }
            let store = try options.enter().open()
            var found = 0
            var table = Table([
                ("MAILBOX", false), ("UID", true), ("DATE", false), ("SIZE", true), ("FLAGS", false), ("FROM", false),
                ("SUBJECT", false),
            ])
            for name in try store.mailboxes(named: all ? nil : [words[0]]) {
                do throws(StoreError) {
                    let mailbox = try store.open(name, readOnly: true)
                    let bar = Progress(name.string, total: mailbox.uids.count, quiet: output.quiet)
                    let matches = try search.matches(in: mailbox) { bar.reach($0) }
                    bar.end()
                    found += matches.count
                    if output.json {
                        if !matches.isEmpty { Output.line(Self.object(matches, mailbox).text) }
                    } else if uids {
                        for uid in matches { Output.line("\(Output.safe(name.string))\t\(uid.rawValue)") }
                    } else {
                        for uid in matches { if let row = try Self.row(uid, mailbox) { table.add(row) } }
                    }
                } catch {
                    throw ControlFailure(error)
                }
            }
            if !output.json, !uids, found > 0 { table.lines.forEach(Output.line) }
            return found > 0 ? Outcome.clean : Outcome.problems
        }
    }

    private static func object(_ uids: [UID], _ mailbox: any OpenMailbox) -> JSON {
        .object([
            ("mailbox", .string(mailbox.name.string)), ("uidvalidity", JSON(mailbox.uidValidity.rawValue)),
            ("uids", .array(uids.map { JSON($0.rawValue) })),
        ])
    }

    /// `nil` if the message is gone.
    private static func row(_ uid: UID, _ mailbox: any OpenMailbox) throws(StoreError) -> [String]? {
        do throws(StoreError) {
            guard let metadata = mailbox.metadata(uid) else { return nil }
            let details = try mailbox.details(uid), fields = HeaderFields(try mailbox.content(uid))
            let keywords = mailbox.keywords.indices.filter { metadata.keywords[$0] }.map { mailbox.keywords[$0].name }
            return [
                mailbox.name.string, "\(uid.rawValue)", Timestamp.text(details.internalDate), Table.bytes(details.size),
                (metadata.flags.names + keywords).joined(separator: " "), fields.from, fields.subject,
            ]
        } catch .messageGone {
            return nil
        }
    }
}

extension SystemFlags {
    /// As IMAP calls them.
    var names: [String] {
        let all: [(SystemFlags, String)] = [
            (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"), (.seen, "\\Seen"), (.draft, "\\Draft"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

/// What tells people which message it is.
struct HeaderFields {
    private(set) var from = ""
    private(set) var subject = ""

    /// More of a header is not looked at.
    private static let longest = 1 << 15

    init(_ content: any MessageContent) {
        var bytes = [UInt8](repeating: 0, count: Int(min(content.size, UInt64(Self.longest))))
        var filled = 0
        bytes.withUnsafeMutableBytes { buffer in
            while filled < buffer.count,
                  case let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]),
                  let got = try? content.read(at: UInt64(filled), into: rest),
                  got > 0 { filled += got }
        }
        bytes.withUnsafeBytes { bytes in
            let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<filled])
            var block = HeaderBlock(bytes)
            while let field = block.next() {
                let name = String(decoding: bytes[field.name], as: UTF8.self).lowercased()
                guard name == "from" || name == "subject" else { continue }
                var value: [UInt8] = [], text: [UInt8] = []
                HeaderBlock.unfold(UnsafeRawBufferPointer(rebasing: bytes[field.value]), into: &value)
                value.withUnsafeBytes { EncodedWord.decode($0, into: &text) }
                let words = String(decoding: text, as: UTF8.self).split { $0.isWhitespace }.joined(separator: " ")
                if name == "from" { from = words } else { subject = words }
            }
        }
    }
}
