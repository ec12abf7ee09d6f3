import Maildir

/// What a finding means, for somebody who keeps a mail host and has not read how imapd stores mail.
extension Finding {
    /// What is so, and what comes of it; a sentence without its end.
    var words: String {
        let files = count == 1 ? "a file" : "\(count) files", messages = count == 1 ? "a message" : "\(count) messages"
        let have = count == 1 ? "has" : "have", are = count == 1 ? "is" : "are", were = count == 1 ? "was" : "were"
        let their = count == 1 ? "its" : "their", them = count == 1 ? "it" : "them"
        return switch kind {
        case .logMissing: "imapd's log is missing; it would be made anew when a client opens the mailbox"
        case .logDamaged: "imapd's log is damaged: the latest flags, keywords and UIDs may be lost"
        case .logTorn: "imapd's log ends in the middle of a record, as after a crash; what was confirmed to clients is whole"
        case .logShort: "imapd's log is shorter than it was: an older copy was put back, or its end is lost"
        case .indexMissing: "imapd's index is missing"
        case .indexDamaged: "imapd's index is damaged"
        case .indexForeign: "imapd's index and log do not belong together: one of them was put back or replaced"
        case .oldCopy: "imapd's files are older than the account's file says: a backup was put back; "
            + "UIDs must go on behind those that were given since"
        case .cacheDamaged: "imapd's cache is damaged; it holds nothing that is not in the messages"
        case .accountMissing: "the file that remembers which UIDs were ever given is missing"
        case .accountDamaged: "\(count == 1 ? "a line" : "\(count) lines") of the account's file cannot be read "
            + "and \(are) left out"
        case .leftover: "\(files) or directories \(are) left of something that a crash has cut short"
        case .expungedLeft: count == 0 ? "an empty directory of expunged messages is left"
            : "\(messages) that \(were) expunged \(are) still on the disk, and no client can be reading \(them)"
        case .unreadable: "\(files) cannot be read" + (detail.isEmpty ? "" : ": \(detail)")
        case .arrivals: "\(messages) came since the mailbox was last opened, and \(have) no UID yet"
        case .vanished: "the \(count == 1 ? "file of a message was" : "files of \(count) messages were") removed "
            + "since the mailbox was last opened"
        case .unnoticed: "\(messages) came or went and imapd does not notice: the directory's time was set back, "
            + "or the clock was"
        case .wrongKnownSize: "\(files) \(were) changed after imapd had read \(them): "
            + "clients are told the old size, and large messages break off"
        case .duplicateName: "\(files) \(have) the name of another message: programs take both for one"
        case .impossibleName: "\(files) \(have) a name that cannot be a message's, so no client sees \(them)"
        case .noInfo: "\(files) in cur \(have) no :2, behind \(their) name, as programs expect there"
        case .wrongSizeField: "\(files) \(have) a size in \(their) name (S= or W=) that is wrong; imapd does not believe it, "
            + "but Dovecot and quota programs do. The name is the message's identity: to change it would make it another message"
        case .lostLetter: "\(files) \(have) letters of Dovecot keywords in \(their) name "
            + "that dovecot-keywords does not explain (any more)"
        case .oldTemporary: "\(files) \(are) left of deliveries that began more than 36 hours ago and never ended"
        case .wrongOwner: "\(files) or directories belong to somebody else: see chown(8)"
        case .wrongMode: "\(files) or directories cannot be read or written by their owner"
        case .writableByOthers: "\(files) or directories can be changed by every user of this machine"
        case .symbolicLink: "\(count == 1 ? "a symbolic link leads" : "\(count) symbolic links lead") out of the Maildir"
        case .strangeFile: "\(count == 1 ? "something is" : "\(count) things are") no plain file where only files should be"
        case .missingDirectory: "a directory is missing"
        case .hiddenFolder: "\(count == 1 ? "a folder" : "\(count) folders") cannot be shown to clients: the name is not valid, "
            + "or that of another folder"
        case .staleSubscription: "\(count == 1 ? "a mailbox is" : "\(count) mailboxes are") subscribed and not there; "
            + "a client may want to have it so"
        }
    }

    /// For one line: where, what, and which.
    var line: String {
        let shown = examples.prefix(3).map(Output.safe)
        let more = count > shown.count && !shown.isEmpty ? ", …" : ""
        let which = shown.isEmpty ? "" : " (\(shown.joined(separator: ", "))\(more))"
        return "\(mailbox.map { Output.safe($0.string) } ?? "account"): \(words)\(which)"
    }

    func json(fixed: Bool?) -> JSON {
        var members: [(String, JSON)] = [
            ("kind", .string(kind.rawValue)), ("mailbox", JSON(mailbox?.string)), ("count", JSON(count)),
            ("examples", .array(examples.map { .string($0) })), ("note", .bool(isNote)), ("text", .string(words)),
        ]
        if let fixed { members.append(("fixed", .bool(fixed))) }
        return .object(members)
    }
}
