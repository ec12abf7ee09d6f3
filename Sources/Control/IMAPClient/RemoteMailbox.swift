import IMAPGrammar
import IMAPTypes

/// A mailbox of another server.
struct RemoteMailbox {
    /// As the server writes it.
    let raw: [UInt8]
    /// As people read it, without the prefix under which the server shows one's own mailboxes; `["INBOX"]` for INBOX.
    let levels: [String]
    let use: SpecialUse?
    /// Whether there can be messages in it.
    let isSelectable: Bool
    var isSubscribed: Bool

    var name: String { levels.joined(separator: "/") }
    var isInbox: Bool { levels.count == 1 && levels[0].uppercased() == "INBOX" }

    /// Shows messages that are in other mailboxes: to bring them too would be to bring everything twice (RFC 6154 §2).
    var isVirtual: Bool { [.all, .flagged, .important].contains(use) }
}

extension IMAPClient {
    /// The user's own mailboxes, INBOX first, then by name.
    func mailboxes() throws(ControlFailure) -> [RemoteMailbox] {
        let (prefix, others) = try namespaces()
        let wantsUses = capabilities.contains("SPECIAL-USE")
            && (capabilities.contains("LIST-EXTENDED") || capabilities.contains("IMAP4REV2"))
        var found: [RemoteMailbox] = []
        let list: [Word] = [.atom("LIST"), .string([]), .string(Array("*".utf8))]
        try command(list + (wantsUses ? [.atom("RETURN (SPECIAL-USE)")] : [])) { (response) throws(ControlFailure) in
            guard response.name == "LIST", let mailbox = Self.mailbox(response, prefix: prefix, isSubscribed: false),
                  !others.contains(where: { !$0.isEmpty && mailbox.raw.starts(with: $0) }) else { return }
            found.append(mailbox)
        }
        // Subscriptions to what is not there are of no more use.
        try command([.atom("LSUB"), .string([]), .string(Array("*".utf8))]) { (response) throws(ControlFailure) in
            guard response.name == "LSUB", let mailbox = Self.mailbox(response, prefix: prefix, isSubscribed: true),
                  mailbox.isSelectable, let at = found.firstIndex(where: { $0.levels == mailbox.levels }) else { return }
            found[at].isSubscribed = true
        }
        var seen: Set<[String]> = []
        return found.filter { seen.insert($0.levels).inserted }
            .sorted { ($0.isInbox ? 0 : 1, $0.name) < ($1.isInbox ? 0 : 1, $1.name) }
    }

    /// The prefix of one's own mailboxes, and those of others' and of shared ones (RFC 2342).
    private func namespaces() throws(ControlFailure) -> (own: [UInt8], others: [[UInt8]]) {
        guard capabilities.contains("NAMESPACE") || capabilities.contains("IMAP4REV2") else { return ([], []) }
        var kinds: [[[UInt8]]] = []
        try command([.atom("NAMESPACE")]) { (response) throws(ControlFailure) in
            guard response.name == "NAMESPACE" else { return }
            kinds = (response.values ?? []).map { ($0.list ?? []).compactMap { $0.list?.first?.bytes } }
        }
        return (kinds.first?.first ?? [], kinds.dropFirst().flatMap { $0 })
    }

    /// `nil` if it cannot be made out.
    private static func mailbox(_ response: Response, prefix: [UInt8], isSubscribed: Bool) -> RemoteMailbox? {
        guard let values = response.values, values.count >= 3, let attributes = values[0].list,
              let raw = values[2].bytes, !raw.isEmpty else { return nil }
        let isInbox = raw.count == 5 && String(decoding: raw, as: UTF8.self).uppercased() == "INBOX"
        // The root of one's own mailboxes, which Dovecot shows as INBOX a second time.
        if !isInbox, raw.count + 1 == prefix.count, prefix.starts(with: raw) { return nil }
        let words = Set(attributes.compactMap { $0.text?.lowercased() })
        var name = raw[...]
        if !prefix.isEmpty, !isInbox, name.starts(with: prefix) { name = name.dropFirst(prefix.count) }
        let parts = values[1].bytes?.first.map { name.split(separator: $0, omittingEmptySubsequences: true) } ?? [name]
        let levels = parts.map { ModifiedUTF7.decode($0) ?? String(decoding: $0, as: UTF8.self) }
        guard !levels.isEmpty else { return nil }
        return RemoteMailbox(
            raw: raw, levels: levels, use: SpecialUse.allCases.first { words.contains($0.rawValue.lowercased()) },
            isSelectable: words.isDisjoint(with: ["\\noselect", "\\nonexistent"]), isSubscribed: isSubscribed)
    }

    // MARK: Messages

    /// Opens a mailbox without changing anything there, and tells its UIDVALIDITY.
    func examine(_ mailbox: RemoteMailbox) throws(ControlFailure) -> UInt32 {
        var uidValidity: UInt32?
        var exists: UInt32 = 0
        try command([.atom("EXAMINE"), .string(mailbox.raw)]) { (response) throws(ControlFailure) in
            if response.name == "EXISTS" { exists = response.number ?? 0 }
            if response.name == "OK", let code = response.text.code?.split(separator: " "), code.count == 2,
               code[0].uppercased() == "UIDVALIDITY" { uidValidity = UInt32(code[1]) }
        }
        selectedCount = exists
        guard let uidValidity, uidValidity > 0 else {
            throw ControlFailure("the server tells no UIDVALIDITY of \(Output.safe(mailbox.name))")
        }
        return uidValidity
    }

    /// Messages of the mailbox that was opened: their UIDs, and which of them have which flags.
    func messages() throws(ControlFailure) -> (uids: UIDSet, flags: [FlagSet: UIDSet]) {
        guard selectedCount > 0 else { return (UIDSet(), [:]) }
        var found: [UID: FlagSet] = [:]
        try command([.atom("UID FETCH 1:* (UID FLAGS)")]) { (response) throws(ControlFailure) in
            guard response.name == "FETCH", let list = response.values?.first?.list, case let items = FetchItems(list),
                  let uid = items.uid, items["FLAGS"] != nil else { return }
            found[uid] = items.flags
        }
        var uids = UIDSet(), flags: [FlagSet: UIDSet] = [:]
        for (uid, value) in found.sorted(by: { $0.key < $1.key }) {
            uids.insert(uid)
            flags[value, default: UIDSet()].insert(uid)
        }
        return (uids, flags)
    }

    /// A message that came; its bytes have gone to where they were wanted, unless they are here.
    struct Message {
        let uid: UID
        let flags: FlagSet
        /// Seconds since the epoch; `nil` where the server does not tell it.
        let date: Int64?
        /// Bytes that did not come as a literal; `nil` if they did.
        let content: [UInt8]?
    }

    /// Brings messages, in whatever order the server likes. `end` hears of each when its bytes are complete.
    func fetch(
        _ uids: UIDSet, body: @escaping ResponseReader.Body, end: @escaping (Message) throws(ControlFailure) -> Void
    ) throws(ControlFailure) {
        let set = uids.ranges.map { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound):\($0.upperBound)" }
            .joined(separator: ",")
        let fetch = Word.atom("UID FETCH \(set) (UID FLAGS INTERNALDATE BODY.PEEK[])")
        let hear = { (response: Response) throws(ControlFailure) in
            guard response.name == "FETCH" else { return }
            guard let list = response.values?.first?.list else {
                throw ControlFailure("the server sends no message that can be read")
            }
            let items = FetchItems(list)
            // Without a body it is news of another message's flags; with NIL the message is gone.
            guard let content = items["BODY[]"] else { return }
            if case .atom = content { return }
            guard let uid = items.uid else {
                throw ControlFailure("the server does not tell a message's UID")
            }
            try end(Message(uid: uid, flags: items.flags, date: items.date, content: content.bytes))
        }
        try command([fetch], hear, body: body)
    }
}

/// The items of a FETCH response by name.
private struct FetchItems {
    private var items: [String: Response.Value] = [:]

    init(_ list: [Response.Value]) {
        for at in stride(from: 0, to: list.count - 1, by: 2) { items[list[at].text?.uppercased() ?? ""] = list[at + 1] }
    }

    subscript(name: String) -> Response.Value? { items[name] }

    var uid: UID? { items["UID"]?.text.flatMap { UInt32($0) }.flatMap { UID($0) } }

    var flags: FlagSet {
        var set = FlagSet()
        for word in items["FLAGS"]?.list?.compactMap(\.text) ?? [] {
            if let flag = SystemFlags.named[word.lowercased()] {
                set.system.insert(flag)
            } else if !word.hasPrefix("\\"), let keyword = Keyword(word) {
                set.keywords.insert(keyword)
            }
        }
        return set
    }

    var date: Int64? { items["INTERNALDATE"]?.bytes.flatMap { Parser.internalDate($0) }?.seconds }
}

extension SystemFlags {
    /// By name in lower case.
    static let named: [String: SystemFlags] = [
        "\\answered": .answered, "\\flagged": .flagged, "\\deleted": .deleted, "\\seen": .seen, "\\draft": .draft,
    ]
}
