import IMAPTypes
import MailMessage
import MailStore

/// Has several readers look for the strings of BODY and TEXT, for a search that will ask for that.
final class TextsAhead {
    private let ahead: ReadAhead
    /// Of messages that the search has not come to.
    private var found: [UInt32: [Bool]] = [:]

    /// `nil` if there is nothing to be gained. `isWanted` tells whether the answer depends on a message's text.
    init?(
        _ queries: [SearchCompiler.TextQuery], _ uids: [UID], in mailbox: any OpenMailbox, readers: Int,
        isWanted: @escaping (UID) -> Bool
    ) {
        guard readers > 1, uids.count >= ReadAhead.fewest, !queries.isEmpty else { return nil }
        let wanted = queries.map { TextReader.Query(needle: $0.needle, isHeaderToo: $0.isHeaderToo) }
        ahead = ReadAhead(uids, in: mailbox, readers: readers, isWanted: isWanted) { TextReader(wanted) }
    }

    /// To be called before the message at `position` is dealt with.
    func reach(_ position: Int) {
        ahead.reach(position) { chunk in
            chunk.forEach { uid, made in found[uid.rawValue] = made.map { $0 != 0 } }
        }
    }

    /// Of each of the queries whether it was found, if somebody has looked.
    func take(_ uid: UID) -> [Bool]? { found.removeValue(forKey: uid.rawValue) }

    func end() { ahead.end() }
}

/// Looks for strings in a message.
private final class TextReader: AheadReader {
    /// Without a searcher, whose tables are one thread's.
    struct Query: Sendable {
        var needle: [UInt8]
        var isHeaderToo: Bool
    }

    private let reader = ContentReader()
    private let texts: TextScan

    init(_ queries: [Query]) {
        let folder = CaseFolder()
        texts = TextScan(queries.map {
            SearchCompiler.TextQuery(needle: $0.needle, isHeaderToo: $0.isHeaderToo, folder)
        }, reader)
    }

    func read(_ content: any MessageContent, into output: inout [UInt8]) -> Bool {
        guard (try? reader.begin(content, .whole)) != nil else { return false }
        defer { reader.close() }
        guard let found = try? texts.scan() else { return false }
        output.append(contentsOf: found.map { $0 ? 1 : 0 })
        return true
    }
}
