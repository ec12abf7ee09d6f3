import IMAPTypes
import MailMessage
import MailStore

/// Has several readers make what is kept of messages, for a command that will come to them: it then finds all of it kept.
final class RecordsAhead {
    private let mailbox: any OpenMailbox
    private let ahead: ReadAhead

    /// `nil` if there is nothing to be gained. `isKept` tells whether what the command needs of a message was kept.
    init?(
        _ uids: [UID], in mailbox: any OpenMailbox, readers: Int, _ scope: MessageParser.Scope, isKept: @escaping (UID) -> Bool
    ) {
        guard readers > 1, uids.count >= ReadAhead.fewest, mailbox.isKeeping else { return nil }
        self.mailbox = mailbox
        ahead = ReadAhead(uids, in: mailbox, readers: readers, isWanted: { !isKept($0) }) { RecordReader(scope) }
    }

    /// To be called before the message at `position` is dealt with.
    func reach(_ position: Int) {
        ahead.reach(position) { chunk in
            chunk.forEach { uid, made in
                if let pieces = RecordReader.pieces(made) { mailbox.keep(uid, pieces) }
            }
        }
    }

    func end() { ahead.end() }
}

/// Makes what is kept of a message.
private final class RecordReader: AheadReader {
    private let scope: MessageParser.Scope
    private let reader = ContentReader()
    private let maker = RecordMaker()

    init(_ scope: MessageParser.Scope) { self.scope = scope }

    func read(_ content: any MessageContent, into output: inout [UInt8]) -> Bool {
        guard (try? reader.begin(content, scope)) != nil else { return false }
        defer { reader.close() }
        var isMade = false
        maker.make(from: reader, scope) { pieces in
            guard pieces.count <= longestKept else { return }
            // The lengths of all pieces, then their bytes.
            for piece in KeptPiece.allCases {
                withUnsafeBytes(of: UInt32(pieces[piece].count)) { output.append(contentsOf: $0) }
            }
            for piece in KeptPiece.allCases { output.append(contentsOf: pieces[piece]) }
            isMade = true
        }
        return isMade
    }

    static func pieces(_ made: UnsafeRawBufferPointer) -> KeptPieces? {
        var pieces = KeptPieces(), start = 4 * KeptPiece.allCases.count
        for (index, piece) in KeptPiece.allCases.enumerated() {
            let end = start + Int(made.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
            guard end <= made.count else { return nil }
            pieces[piece] = UnsafeRawBufferPointer(rebasing: made[start..<end])
            start = end
        }
        return pieces
    }
}
