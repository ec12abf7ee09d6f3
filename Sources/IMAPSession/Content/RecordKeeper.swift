import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// Reads and writes what a mailbox keeps of its messages.
final class RecordKeeper {
    private let mailbox: any OpenMailbox
    private let maker = RecordMaker()
    var previews: PreviewMaker { maker.previews }

    init(_ mailbox: any OpenMailbox) { self.mailbox = mailbox }

    // What was kept is valid until the mailbox is asked for something that reads.

    func keys(_ uid: UID) -> MessageKeys? { mailbox.kept(uid, .keys).flatMap { MessageKeys($0) } }
    func fields(_ uid: UID) -> KeptFields? { mailbox.kept(uid, .fields).flatMap { KeptFields($0) } }
    func record(_ uid: UID) -> KeptRecord? { mailbox.kept(uid, .items).flatMap { KeptRecord($0) } }

    /// All that is needed of a message, if it was kept.
    struct Kept {
        var record: KeptRecord?
        var fields: KeptFields?
    }

    func kept(_ uid: UID, _ items: KeptItems) -> Kept? {
        var kept = Kept()
        if items.contains(.lazyPreview) { kept.record = record(uid) }
        if items.needsRecord {
            guard let record = record(uid), record.has(items) else { return nil }
            kept.record = record
        }
        if items.contains(.fields) {
            guard let fields = fields(uid) else { return nil }
            kept.fields = fields
        }
        return kept
    }

    /// Keeps what can be told of the message that the reader has open, unless as much was kept already.
    ///
    /// `scope` is how far it was parsed. What goes wrong here goes wrong for no client.
    func keep(_ uid: UID, from reader: ContentReader, _ scope: MessageParser.Scope) {
        guard mailbox.isKeeping else { return }
        if let known = record(uid), known.isWhole || scope == .header { return }
        maker.make(from: reader, scope) { mailbox.keep(uid, $0) }
    }
}
