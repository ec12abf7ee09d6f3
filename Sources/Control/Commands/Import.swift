import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings mail from elsewhere into a user's mailboxes.",
        discussion: """
            Dates, flags and keywords come along. A message that was imported into the mailbox before, with the same bytes and \
            date, is left out: an import that was interrupted can be started again.
            """,
        subcommands: [ImportMbox.self, ImportMaildir.self, ImportIMAP.self])
}

/// What one import has brought.
struct ImportCount {
    var imported = 0
    var alreadyThere = 0
    /// Messages whose flags were changed; `nil` where no import looks for that.
    var changed: Int?
    var expunged: Int?

    func tell(_ from: String, _ mailbox: MailboxName, _ output: OutputOptions) {
        let more = [
            (alreadyThere, "were there already"), (changed ?? 0, "have other flags now"), (expunged ?? 0, "are removed"),
        ].filter { $0.0 > 0 }.map { ", \($0) \($1)" }.joined()
        output.tell("\(Output.safe(mailbox.string)): \(imported) messages from \(Output.safe(from))\(more)", [
            ("mailbox", .string(mailbox.string)), ("from", .string(from)), ("imported", JSON(imported)),
            ("known", JSON(alreadyThere)),
        ] + [("changed", changed), ("expunged", expunged)].compactMap { name, count in count.map { (name, JSON($0)) } })
    }
}

struct ImportMbox: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mbox", abstract: "From mbox files.",
        discussion: """
            Flags are read from Status, X-Status and X-Mozilla-Status, keywords from X-Keywords and X-Mozilla-Keys; these fields \
            do not become part of the message. Files are opened before root becomes the user.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("The mailbox, made if there is none. By default it has the name of the file.", valueName: "name"))
    var mailbox: String?

    @Argument(help: "Files.")
    var files: [String]

    func run() throws {
        try command { () throws(ControlFailure) in
            var sources: [(path: String, map: FileMap, name: MailboxName)] = []
            for path in files { sources.append((path, try FileMap(path), try name(path))) }
            let store = try options.enter().open()
            for source in sources {
                do throws(StoreError) {
                    let bar = Progress(source.path, total: 0, quiet: output.quiet)
                    guard let count = try Self.read(source.map.bytes, store, source.name, bar) else {
                        throw .notPermitted(reason: "\(source.path) is no mbox file")
                    }
                    count.tell(source.path, source.name, output)
                } catch {
                    throw ControlFailure(error)
                }
            }
            return Outcome.clean
        }
    }

    private func name(_ path: String) throws(ControlFailure) -> MailboxName {
        var text = mailbox ?? path.split(separator: "/").last.map(String.init) ?? path
        if mailbox == nil {
            for end in [".mbox", ".mbx"] where text.hasSuffix(end) && text.count > end.count { text.removeLast(end.count) }
            text = text.replacing("%2F", with: "/").replacing("%2E", with: ".").replacing("%25", with: "%")
        }
        guard let name = MailboxName(text) else {
            throw ControlFailure("\"\(text)\" cannot be the name of a mailbox: give one with --mailbox")
        }
        return name
    }

    /// `nil` if it is no mbox.
    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ store: MaildirStore, _ name: MailboxName, _ bar: Progress
    ) throws(StoreError) -> ImportCount? {
        var reader = MboxReader(bytes)
        guard reader.isMbox else { return nil }
        let target = try MaildirImport(store, into: name)
        while let next = reader.next() {
            bar.advance()
            let message = MboxMessage(next)
            if message.isInternal { continue }
            target.begin(flags: message.flags, date: message.date)
            try message.write(to: target)
            try target.end()
        }
        try target.commit()
        bar.end()
        return ImportCount(imported: target.imported, alreadyThere: target.alreadyThere)
    }
}

/// A file in memory, as far as it is looked at.
final class FileMap {
    let bytes: UnsafeRawBufferPointer

    init(_ path: String) throws(ControlFailure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            throw ControlFailure("\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ControlFailure("\(path) is no file") }
        guard status.st_size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw ControlFailure("\(path): \(String(cString: strerror(errno)))")
        }
        bytes = UnsafeRawBufferPointer(start: start, count: Int(status.st_size))
    }

    deinit { if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) } }
}
