import ArgumentParser
import IMAPTypes
import MailStore
import Maildir

struct Rebuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a mailbox's index, log and cache anew.",
        discussion: """
            UIDVALIDITY and UIDs stay as far as anything that is left tells them. Clients that have the mailbox open go on; \
            those with QRESYNC compare all UIDs once.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "Names of mailboxes.")
    var mailboxes: [String]

    func run() throws {
        try command { () throws(ControlFailure) in
            let store = try options.enter().open()
            for name in try store.mailboxes(named: mailboxes) { try rebuild(name, store) }
            return Outcome.clean
        }
    }

    private func rebuild(_ name: MailboxName, _ store: MaildirStore) throws(ControlFailure) {
        do throws(StoreError) {
            let result = try store.rebuild(name)
            let messages = result.messages == 1 ? "1 message" : "\(result.messages) messages"
            let validity = switch result.formerUIDValidity {
            case result.uidValidity: "UIDVALIDITY \(result.uidValidity) as before"
            case nil: "UIDVALIDITY \(result.uidValidity), as nothing told the one before: clients download it again"
            case .some(let former): "UIDVALIDITY \(result.uidValidity) instead of \(former): clients download it again"
            }
            output.tell("\(Output.safe(name.string)): \(messages), \(validity), UIDNEXT \(result.uidNext)", [
                ("mailbox", .string(name.string)), ("messages", JSON(result.messages)),
                ("uidvalidity", JSON(result.uidValidity)), ("former_uidvalidity", JSON(result.formerUIDValidity)),
                ("uidnext", JSON(result.uidNext)),
            ])
        } catch {
            throw ControlFailure(error)
        }
    }
}
