import IMAPTypes
import MailStore
import Maildir

/// Mailboxes that a command line names.
extension MaildirStore {
    /// By name, or all that have a special use, such as `\Trash`, of which there may be none; `nil` for every mailbox.
    ///
    /// - Parameter isMissingAllowed: whether a name of no mailbox is left out; else that is a failure.
    func mailboxes(named texts: [String]?, isMissingAllowed: Bool = false) throws(ControlFailure) -> [MailboxName] {
        do throws(StoreError) {
            let entries = try mailboxes()
            guard let texts else { return entries.map(\.name).sorted { $0.string < $1.string } }
            var names: [MailboxName] = []
            for text in texts {
                if text.first == "\\" {
                    guard let use = SpecialUse.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
                        throw .notPermitted(reason: "there is no special use \(text)")
                    }
                    names += entries.filter { $0.use == use }.map(\.name)
                } else {
                    guard let name = MailboxName(text) else {
                        throw .notPermitted(reason: "\"\(text)\" cannot be the name of a mailbox")
                    }
                    if try exists(name) { names.append(name) } else if !isMissingAllowed { throw .noSuchMailbox(name) }
                }
            }
            var seen: Set<MailboxName> = []
            return names.filter { seen.insert($0).inserted }
        } catch {
            throw ControlFailure(error)
        }
    }
}
