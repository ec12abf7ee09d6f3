import IMAPGrammar
import IMAPTypes
import MailStore

extension Selected {
    /// SORT and UID SORT (RFC 5256 §3).
    mutating func sort(_ command: SortCommand) throws(CommandFailure) -> Completion {
        let found = try matches(command.search)
        let sort = MessageSort(command.keys, in: mailbox, readers: account.settings.readers)
        let order: [Int]
        do { order = try sort.order(found, progress: wire.heedShutdown) } catch { throw CommandFailure(error) }
        let numbers = numbers(found, byUID: command.search.byUID)
        let modSequence = highestModSequence(SearchResult(found, command.search, features))
        wire.out.sort(order.map { numbers[$0] }, modSequence: modSequence)
        return .ok(command.search.byUID ? "UID SORT completed" : "SORT completed")
    }

    /// THREAD and UID THREAD (RFC 5256 §4).
    mutating func thread(_ command: ThreadCommand) throws(CommandFailure) -> Completion {
        let found = try matches(command.search)
        let byUID = command.search.byUID
        let thread = MessageThread(in: mailbox, readers: account.settings.readers)
        let numbers = numbers(found, byUID: byUID)
        let entries: [Serializer.ThreadEntry]
        do {
            entries = try thread.threads(
                found, by: command.algorithm, number: { numbers[$0] }, progress: wire.heedShutdown)
        } catch { throw CommandFailure(error) }
        wire.out.thread(entries)
        return .ok(byUID ? "UID THREAD completed" : "THREAD completed")
    }
}
