import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct ImportIMAP: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imap", abstract: "From another IMAP server.",
        discussion: """
            Mailboxes come with their messages, flags, keywords, dates, special uses and subscriptions; nothing is changed \
            there. Started again, it brings what is new, and flags that were changed there since. Mailboxes that only show \
            messages of others (\\All, \\Flagged, \\Important) come if they are named.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var server: ServerOptions

    @Option(help: ArgumentHelp("Put everything below this mailbox, and INBOX into it.", valueName: "name"))
    var mailbox: String?

    @Option(help: ArgumentHelp("Leave this mailbox out, with those below it; may be given several times.", valueName: "name"))
    var skip: [String] = []

    @Flag(help: "Started again: remove here what has been removed there since.")
    var expunge = false

    @Argument(help: "The host; with --command, any name for it.")
    var host: String

    @Argument(help: "Names of mailboxes there, with / between levels; all, if there is none.")
    var mailboxes: [String] = []

    func run() throws {
        try command { () throws(ControlFailure) in
            // A server that goes away is told by the call, not by a signal.
            signal(SIGPIPE, SIG_IGN)
            let password = try server.password(host), tls = try server.tlsContext(host)
            let place = try options.enter(), store = try place.open()
            guard let login = server.login ?? place.user ?? (password == nil ? "" : nil) else {
                throw ControlFailure("whose mail is it there? --login NAME")
            }
            let client = try IMAPClient(try server.connect(host), tls: tls)
            if let password {
                try client.logIn(login, password)
            } else if !client.isLoggedIn {
                throw ControlFailure("the server wants a password: --password-file")
            }
            try bring(client, login, place, store)
            client.logOut()
            return Outcome.clean
        }
    }

    private func bring(
        _ client: IMAPClient, _ login: String, _ place: Place, _ store: MaildirStore
    ) throws(ControlFailure) {
        let found = try client.mailboxes()
        for name in mailboxes where !found.contains(where: { $0.isCalled(name) }) {
            throw ControlFailure("\(host) has no mailbox \(name)")
        }
        let memory: ImportMemory
        do throws(StoreError) { memory = try ImportMemory(store) } catch { throw ControlFailure(error) }
        for source in found where isWanted(source) {
            let target = try name(source, place.separator)
            if source.isSelectable {
                var work = try MailboxImport(source, "\(login)@\(host)", client, memory, target, store)
                let count = try work.run(expunge: expunge, quiet: output.quiet)
                count.tell("\(host) \(source.name)", target, output)
                if let warning = work.warning { Output.error(warning) }
            }
            do throws(StoreError) {
                if source.isSubscribed { try store.subscribe(target) }
            } catch {
                throw ControlFailure(error)
            }
        }
    }

    private func isWanted(_ source: RemoteMailbox) -> Bool {
        if skip.contains(where: { source.isCalled($0) || source.isBelow($0) }) { return false }
        return mailboxes.isEmpty ? !source.isVirtual : mailboxes.contains { source.isCalled($0) }
    }

    /// The mailbox here: a separator of ours within a level there becomes "_".
    private func name(_ source: RemoteMailbox, _ separator: Character) throws(ControlFailure) -> MailboxName {
        let top = mailbox.map { [$0] } ?? []
        let levels = source.levels.map { $0.replacing(String(separator), with: "_") }
        let all = source.isInbox && !top.isEmpty ? top : top + levels
        let text = all.joined(separator: String(separator))
        guard let name = MailboxName(text) else { throw ControlFailure("\"\(text)\" cannot be the name of a mailbox") }
        return name
    }
}

extension RemoteMailbox {
    fileprivate func isCalled(_ text: String) -> Bool {
        name == text || isInbox && text.uppercased() == "INBOX"
    }

    fileprivate func isBelow(_ text: String) -> Bool { name.hasPrefix(text + "/") }
}
