import IMAPGrammar
import IMAPTypes
import MailStore

extension Selected {
    /// SORT and UID SORT (RFC 5256 §3).
    mutating func sort(_ command: SortCommand) throws(CommandFailure) -> Completion {
        let found = try matches(command.search)
        var sort = MessageSort(command.keys, in: mailbox)
        let sorted: [UID]
        do { sorted = try sort.sorted(found, progress: wire.heedShutdown) } catch { throw CommandFailure(error) }
        let modSequence = highestModSequence(SearchResult(found, command.search, features))
        wire.out.sort(numbers(sorted, byUID: command.search.byUID), modSequence: modSequence)
        return .ok(command.search.byUID ? "UID SORT completed" : "SORT completed")
    }

    /// THREAD and UID THREAD (RFC 5256 §4).
    mutating func thread(_ command: ThreadCommand) throws(CommandFailure) -> Completion {
        let found = try matches(command.search)
        let byUID = command.search.byUID
        let thread = MessageThread(in: mailbox)
        let view = view
        let entries: [Serializer.ThreadEntry]
        do {
            entries = try thread.threads(
                found, by: command.algorithm, number: { byUID ? $0.rawValue : view.number(of: $0)?.rawValue ?? 0 },
                progress: wire.heedShutdown)
        } catch { throw CommandFailure(error) }
        wire.out.thread(entries)
        return .ok(byUID ? "UID THREAD completed" : "THREAD completed")
    }
}
