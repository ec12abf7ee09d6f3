import IMAPGrammar
import IMAPTypes
import MailStore

extension Selected {
    /// SEARCH and UID SEARCH (RFC 9051 §6.4.4).
    mutating func search(_ command: SearchCommand, _ tag: Tag) throws(CommandFailure) -> Completion {
        let saves = command.returning?.contains(.save) ?? false
        let found: [UID]
        do { found = try matches(command) } catch {
            // §6.4.4.1: "$" is empty after a search that should have set it and was refused, but for what makes no sense.
            if saves, error.completion.condition == .no { saved = UIDSet() }
            throw error
        }
        let result = SearchResult(found, command, features)
        if saves { saved = UIDSet(result.saved) }
        if let options = result.options {
            if !options.subtracting(.save).isEmpty { wire.out.esearch(esearch(result, options, byUID: command.byUID, tag)) }
        } else {
            // Also when nothing was found: clients wait for it.
            wire.out.search(numbers(found, byUID: command.byUID), modSequence: highestModSequence(result))
        }
        return .ok(command.byUID ? "UID SEARCH completed" : "SEARCH completed")
    }

    /// The messages that match. Messages that others expunged are not found (RFC 2180 §4.3).
    mutating func matches(_ command: SearchCommand) throws(CommandFailure) -> [UID] {
        if features.contains(.utf8Accept), let charset = command.charset, !charset.isUTF8Name { throw .charsetWithUTF8 }
        noteUse(ofModSequences: command.key.usesModSequences)
        let view = view, saved = saved, recent = recent
        let environment = SearchEnvironment(
            resolve: { set, byUID in
                let selection = byUID ? view.selection(uids: set, saved: saved)
                    : view.selection(existingNumbers: set, saved: saved)
                return UIDSet(view.uids(selection))
            },
            isRecent: { recent.contains($0) })
        let search: MessageSearch
        do {
            search = try MessageSearch(command, in: mailbox, environment, readers: account.settings.readers)
        } catch { throw .unknownCharset(error.known) }
        do {
            let found = try search.matches(in: view, candidates(command.key), progress: wire.heedShutdown)
            return news.expunged.isEmpty ? found : found.filter { !isGone($0) }
        } catch { throw CommandFailure(error) }
    }

    /// What a set at the top of the key leaves to be looked at.
    private func candidates(_ key: SearchKey) -> MessageSelection {
        let keys = if case .and(let keys) = key { keys } else { [key] }
        for key in keys {
            switch key {
            case .sequence(let set): return view.selection(existingNumbers: set, saved: saved)
            case .uid(let set): return view.selection(uids: set, saved: saved)
            default: break
            }
        }
        return view.all
    }

    func numbers(_ uids: [UID], byUID: Bool) -> [UInt32] {
        if byUID { return uids.map(\.rawValue) }
        var numbers: [UInt32] = []
        numbers.reserveCapacity(uids.count)
        view.forEachIndex(of: uids) { numbers.append(view.number(at: $0).rawValue) }
        return numbers
    }

    func number(_ uid: UID, byUID: Bool) -> UInt32 {
        byUID ? uid.rawValue : view.number(of: uid)?.rawValue ?? 0
    }

    private func esearch(_ result: SearchResult, _ options: SearchReturn, byUID: Bool, _ tag: Tag) -> ESearchResponse {
        var response = ESearchResponse(tag: tag, byUID: byUID)
        if options.contains(.min) { response.min = result.found.first.map { number($0, byUID: byUID) } }
        if options.contains(.max) { response.max = result.found.last.map { number($0, byUID: byUID) } }
        if options.contains(.count) { response.count = result.found.count }
        if options.contains(.all) { response.all = numbers(result.found, byUID: byUID) }
        response.modSequence = highestModSequence(result)
        return response
    }

    /// The highest mod-sequence of what is told, if the client searched for one (RFC 7162 §3.1.5, §3.1.10).
    func highestModSequence(_ result: SearchResult) -> ModSequence? {
        guard result.usesModSequences else { return nil }
        return result.told.compactMap { mailbox.metadata($0)?.modSequence }.max()
    }
}

/// What a search found, and what of it is told and kept.
struct SearchResult {
    /// Ascending.
    let found: [UID]
    /// `nil` for the old SEARCH response.
    let options: SearchReturn?
    let usesModSequences: Bool

    init(_ found: [UID], _ command: SearchCommand, _ features: Features) {
        self.found = found
        // IMAP4rev2 knows only ESEARCH (RFC 9051 §6.4.4).
        options = command.returning ?? (features.contains(.imap4rev2) ? .all : nil)
        usesModSequences = command.key.usesModSequences
    }

    /// MIN and MAX alone are about these messages and no others, in what they save (RFC 9051 §6.4.4.1) and in whose
    /// mod-sequence is told (RFC 7162 §3.1.10).
    private var ends: [UID] {
        guard let options, options.isDisjoint(with: [.all, .count]), !options.isDisjoint(with: [.min, .max]) else { return found }
        var ends: [UID] = []
        if options.contains(.min), let first = found.first { ends.append(first) }
        if options.contains(.max), let last = found.last, ends.last != last { ends.append(last) }
        return ends
    }

    var saved: [UID] { ends }
    var told: [UID] { ends }
}

extension SearchKey {
    /// Whether MODSEQ is among the criteria.
    var usesModSequences: Bool {
        contains { if case .modSeq = $0 { true } else { false } }
    }

    /// Whether messages are named by sequence number.
    var usesSequenceNumbers: Bool {
        contains { if case .sequence(.ranges) = $0 { true } else { false } }
    }

    /// The parser limits how deep this goes.
    private func contains(_ isWanted: (SearchKey) -> Bool) -> Bool {
        switch self {
        case .not(let key): key.contains(isWanted)
        case .or(let a, let b): a.contains(isWanted) || b.contains(isWanted)
        case .and(let keys): keys.contains { $0.contains(isWanted) }
        default: isWanted(self)
        }
    }
}

extension [UInt8] {
    fileprivate var isUTF8Name: Bool { elementsEqual("utf-8".utf8) { $0.lowercasedASCII == $1 } }
}
