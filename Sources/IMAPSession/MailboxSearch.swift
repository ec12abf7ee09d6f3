import IMAPGrammar
import IMAPTypes
import MailStore

/// SEARCH (RFC 9051 §6.4.4) in any store's mailbox, without a session: for tools.
public struct MailboxSearch {
    private let command: SearchCommand

    /// `keys` is what follows `SEARCH `: search keys, of which all must hold, in UTF-8.
    public init(_ keys: [UInt8]) throws(SyntaxError) {
        command = SearchCommand(byUID: true, charset: Array("UTF-8".utf8), returning: nil, key: try Parser.searchProgram(keys))
    }

    /// Those of the mailbox's messages that match, ascending. `progress` hears now and then how many were looked at.
    public func matches(in mailbox: any OpenMailbox, progress: (Int) -> Void = { _ in }) throws(StoreError) -> [UID] {
        let view = MessageView(mailbox.uids), recent = UIDSet(try mailbox.claimRecent())
        let environment = SearchEnvironment(
            resolve: { set, byUID in
                let none = UIDSet()
                let selection = byUID ? view.selection(uids: set, saved: none) : view.selection(existingNumbers: set, saved: none)
                return UIDSet(view.uids(selection))
            },
            isRecent: { recent.contains($0) })
        let search: MessageSearch
        do { search = try MessageSearch(command, in: mailbox, environment) } catch { return [] }
        defer { mailbox.saveKept() }
        do throws(ContentFailure) {
            return try search.matches(in: view, view.all) { (done) throws(ContentFailure) in progress(done) }
        } catch {
            switch error {
            case .store(let error): throw error
            case .connection: return []
            }
        }
    }
}
