import IMAPTypes
import MailStore

/// A session's access to an account in memory.
final class MemoryStore: MailStore {
    private let account: MemoryAccount

    init(account: MemoryAccount) { self.account = account }

    var separator: Character { account.separator }

    func mailboxes() throws(StoreError) -> [MailboxEntry] {
        account.withLock { state in state.mailboxes.map { MailboxEntry(name: $0.key, use: $0.value.use) } }
    }

    func subscriptions() throws(StoreError) -> [MailboxName] {
        account.withLock { state in Array(state.subscriptions) }
    }

    func subscribe(_ name: MailboxName) throws(StoreError) {
        account.withLock { state in _ = state.subscriptions.insert(name) }
    }

    func unsubscribe(_ name: MailboxName) throws(StoreError) {
        account.withLock { state in _ = state.subscriptions.remove(name) }
    }

    func exists(_ name: MailboxName) throws(StoreError) -> Bool {
        account.withLock { state in state.mailboxes[name] != nil }
    }

    func status(_ name: MailboxName, wantsSize: Bool) throws(StoreError) -> MailboxStatus {
        let mailbox = try account.mailbox(name)
        return mailbox.withLock { state in state.status(of: mailbox, wantsSize: wantsSize) }
    }

    func open(_ name: MailboxName, readOnly: Bool) throws(StoreError) -> any OpenMailbox {
        try MemoryOpenMailbox(account: account, mailbox: account.mailbox(name), name: name, readOnly: readOnly)
    }

    func beginAppend(to name: MailboxName) throws(StoreError) -> any AppendTransaction {
        MemoryAppend(mailbox: try account.mailbox(name))
    }

    func tidy() throws(StoreError) -> Bool { false }
}

// MARK: - The tree of names

extension MemoryStore {
    func create(_ name: MailboxName, use: SpecialUse?) throws(StoreError) -> ObjectID {
        try check(name)
        return try account.withLock { (state) throws(StoreError) in
            guard state.mailboxes[name] == nil else { throw .mailboxExists(name) }
            if let use, state.mailboxes.values.contains(where: { $0.use == use }) { throw .specialUseTaken(use) }
            return state.add(name, use: use).id
        }
    }

    func delete(_ name: MailboxName) throws(StoreError) {
        guard !name.isInbox else { throw .notPermitted(reason: "INBOX cannot be deleted") }
        try account.withLock { (state) throws(StoreError) in
            guard let mailbox = state.mailboxes.removeValue(forKey: name) else {
                let hasChildren = state.mailboxes.keys.contains { $0.isBelow(name, separator: separator) }
                throw hasChildren ? .hasChildren(name) : .noSuchMailbox(name)
            }
            mailbox.withLock { mailbox in
                mailbox.isDeleted = true
                _ = mailbox.tick()
            }
        }
    }

    func rename(_ name: MailboxName, to newName: MailboxName) throws(StoreError) {
        try check(newName)
        try account.withLock { (state) throws(StoreError) in
            guard state.mailboxes[newName] == nil, name != newName else { throw .mailboxExists(newName) }
            if name.isInbox { return try state.renameInbox(to: newName) }
            guard !newName.isBelow(name, separator: separator) else {
                throw .notPermitted(reason: "A mailbox cannot be moved below itself")
            }
            let moving = state.mailboxes.keys.filter { $0 == name || $0.isBelow(name, separator: separator) }
            guard !moving.isEmpty else { throw .noSuchMailbox(name) }
            var moves: [(from: MailboxName, to: MailboxName)] = []
            for old in moving {
                guard let new = MailboxName(newName.string + old.string.dropFirst(name.string.count)) else {
                    throw .invalidName(newName, reason: "The name of a mailbox below it would be too long")
                }
                guard state.mailboxes[new] == nil else { throw .mailboxExists(new) }
                moves.append((old, new))
            }
            for move in moves { state.mailboxes[move.to] = state.mailboxes.removeValue(forKey: move.from) }
        }
    }

    private func check(_ name: MailboxName) throws(StoreError) {
        guard !name.levels(separator: separator).contains(where: \.isEmpty) else {
            throw .invalidName(name, reason: "A level of the name is empty")
        }
    }
}

extension MemoryAccount.State {
    /// RFC 9051 §6.3.6: the messages go, INBOX and what is below it stays.
    mutating func renameInbox(to name: MailboxName) throws(StoreError) {
        guard let inbox = mailboxes[.inbox] else { throw .noSuchMailbox(.inbox) }
        let messages = inbox.withLock { state in
            let moved = state.records.map { record in
                (message: record.message, flags: record.flags,
                 keywords: Set(state.keywords.indices.filter { record.keywords[$0] }.map { state.keywords[$0] }))
            }
            _ = state.remove(state.records.map(\.uid))
            return moved
        }
        let target = add(name, use: nil)
        _ = try target.withLock { (state) throws(StoreError) in try state.add(messages) }
    }
}

extension MailboxName {
    func isBelow(_ parent: MailboxName, separator: Character) -> Bool {
        string.utf8.starts(with: (parent.string + String(separator)).utf8)
    }
}
