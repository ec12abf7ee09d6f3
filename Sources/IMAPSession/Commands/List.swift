import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Authenticated {
    /// LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
    func list(_ command: ListCommand, _ held: HeldRecent? = nil) throws(CommandFailure) -> Completion {
        if !command.isExtended, command.patterns == [[]] {
            // The separator, and the root of the reference: none here is rooted.
            wire.out.list(ListResponse(nil, separator: store.separator, attributes: .noSelect))
            return .ok("LIST completed")
        }
        noteUse(ofModSequences: command.status.contains(.highestModSeq))
        let tree = try storing { () throws(StoreError) in try MailboxTree(store, naming, settings.specialMailboxes) }
        let isExtended = command.isExtended || features.contains(.imap4rev2)
        let choice = ListChoice(tree, command, separator: store.separator, isExtended: isExtended)
        for entry in choice.entries() {
            list(entry, status: command.status, held)
            try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
        }
        return .ok("LIST completed")
    }

    /// One LIST response with the STATUS that was asked for. A mailbox that vanished since is shown as none (§6.3.9.2).
    private func list(_ entry: ListChoice.Entry, status items: [StatusItem], _ held: HeldRecent?) {
        var response = entry.response
        guard !items.isEmpty, entry.hasStatus, let name = response.name, let local = naming.local(name) else {
            return wire.out.list(response)
        }
        do {
            var status = try store.status(local, wantsSize: items.contains(.size))
            held?.add(to: &status)
            wire.out.list(response)
            wire.status(name, items, status)
        } catch {
            note(error)
            response.attributes.insert(.noSelect)
            wire.out.list(response)
        }
    }

    /// What SELECT tells of its mailbox (§6.3.2), with OLDNAME if the client called it otherwise than LIST does (§6.3.9.7).
    func listSelected(_ local: MailboxName, asked: MailboxName) throws(CommandFailure) {
        let tree = try storing { () throws(StoreError) in try MailboxTree(store, naming, settings.specialMailboxes) }
        guard let name = naming.shown(local), let (_, node) = tree.entries.first(where: { $0.name == name }) else { return }
        var attributes = ListChoice.attributes(of: node, isExtended: true)
        if node.isSubscribed { attributes.insert(.subscribed) }
        var response = ListResponse(name, separator: store.separator, attributes: attributes, use: node.use.map { [$0] } ?? [])
        if asked != name { response.oldName = asked }
        wire.out.list(response)
    }

    /// LSUB (RFC 3501 §6.3.9): subscribed names, and a level above one that the pattern itself does not show.
    func lsub(_ reference: [UInt8], _ pattern: [UInt8]) throws(CommandFailure) -> Completion {
        let tree = try storing { () throws(StoreError) in try MailboxTree(store, naming, settings.specialMailboxes) }
        let pattern = ListPattern(reference + pattern, store.separator)
        for (index, (name, node)) in tree.entries.enumerated() where pattern.matches(name) {
            let hasHidden = tree.descendants(of: index).contains { child in
                tree.entries[child].node.isSubscribed && !pattern.matches(tree.entries[child].name)
            }
            guard node.isSubscribed || hasHidden else { continue }
            wire.out.lsub(ListResponse(name, separator: store.separator,
                                       attributes: node.isSubscribed && node.exists ? [] : .noSelect))
            try sending { () throws(ConnectionEnd) in try wire.flushIfLarge() }
        }
        return .ok("LSUB completed")
    }
}
