import IMAPTypes
import MailStore

/// STORE: one record in the log for any number of messages. File names follow later.
extension OpenMaildir {
    func store(_ uids: [UID], _ change: FlagChange, unchangedSince: ModSequence?) throws(StoreError) -> StoreResult {
        if isReadOnly { throw .readOnly }
        return try mailbox.locked { () throws(StoreError) in
            try mailbox.finishNaming()
            var result = StoreResult()
            var transaction = mailbox.newTransaction()
            // What is only removed need not be known.
            var wanted = change.flags.keywords
            if change.action == .remove { wanted.formIntersection(mailbox.state.keywords) }
            let keywords = try mailbox.keywordSet(wanted, in: &transaction)
            // Messages that come to the same flags are one entry; those beside each other mostly do.
            var groups: [(value: FlagGroup, rows: RowRanges)] = []
            var known: [FlagGroup: Int] = [:]
            var last = -1
            for row in rows(uids) {
                guard let uid = UID(table.uid(row)) else { continue }
                if let unchangedSince, table.modSequence(row) > unchangedSince.rawValue {
                    result.modified.append(uid)
                    continue
                }
                result.stored.append(uid)
                let old = FlagGroup(flags: table.flags(row), keywords: table.keywords(row))
                let new = old.applying(change.action, change.flags.system, keywords)
                guard new != old else { continue }
                transaction.summary.recount(old.flags, new.flags)
                if last < 0 || groups[last].value != new {
                    last = known[new] ?? groups.count
                    if last == groups.count {
                        known[new] = last
                        groups.append((new, RowRanges()))
                    }
                }
                groups[last].rows.append(row, uid: uid.rawValue)
            }
            for group in groups { transaction.entries.append(.flags(group.value.flags, group.value.keywords, group.rows.ranges)) }
            if !transaction.entries.isEmpty { try mailbox.commit(transaction) }
            return result
        }
    }
}

private struct FlagGroup: Hashable {
    var flags: SystemFlags
    var keywords: KeywordSet

    func applying(_ action: FlagChange.Action, _ system: SystemFlags, _ set: KeywordSet) -> FlagGroup {
        var result = self
        switch action {
        case .replace:
            result = FlagGroup(flags: system, keywords: set)
        case .add:
            result.flags.formUnion(system)
            result.keywords.low |= set.low
            result.keywords.high |= set.high
        case .remove:
            result.flags.subtract(system)
            result.keywords.low &= ~set.low
            result.keywords.high &= ~set.high
        }
        return result
    }
}
