import Glibc
import IMAPGrammar
import IMAPTypes
import MailStore
import Transport

extension Authenticated {
    /// APPEND (RFC 9051 §6.3.12, RFC 3502), of whose first message `header` tells. Messages go from the connection into the
    /// store piece by piece. All of them arrive, or none.
    func append(_ header: AppendHeader) throws(CommandFailure) -> Completion {
        guard let name = header.mailbox else { preconditionFailure("a further message of an APPEND that is not under way") }
        let target: MailboxName
        do { target = try local(name) } catch {
            wire.refuseMessage()
            throw error
        }
        return try append(header, to: target)
    }

    private func append(_ first: AppendHeader, to name: MailboxName) throws(CommandFailure) -> Completion {
        let transaction: any AppendTransaction
        do { transaction = try store.beginAppend(to: name) } catch {
            // Before the client has sent the message: it may save itself the trouble.
            wire.refuseMessage()
            throw .storeTarget(error)
        }
        do {
            let derived = DerivedRecords(transaction)
            try receive(first, into: transaction)
            derived.keep()
            return try receiveRest(into: transaction, derived)
        } catch {
            transaction.abandon()
            throw error
        }
    }

    private func receiveRest(
        into transaction: any AppendTransaction, _ derived: DerivedRecords
    ) throws(CommandFailure) -> Completion {
        while true {
            switch try nextPiece() {
            case .append(let header):
                try receive(header, into: transaction)
                derived.keep()
            case .appendEnd:
                do {
                    let (uidValidity, uids) = try transaction.commit()
                    counters.appended += UInt64(uids.count)
                    return .ok("APPEND completed", .appendUID(uidValidity, UIDSet(uids)))
                } catch { throw .storeTarget(error) }
            case .rejected(let rejection):
                throw .rejected(rejection)
            case .continuation, .command, .incomplete:
                preconditionFailure("an event of another command within APPEND")
            }
        }
    }

    private func nextPiece() throws(CommandFailure) -> CommandReader.Event {
        do { return try wire.next() } catch { throw .connection(error) }
    }

    /// One message. When it is refused, so is what follows of the command.
    private func receive(_ header: AppendHeader, into transaction: any AppendTransaction) throws(CommandFailure) {
        do throws(CommandFailure) {
            guard header.literal.size > 0 else { throw .messageEmpty }
            if !header.literal.isSynchronizing, header.literal.size > Session.longestSkipped { throw .endlessLiteral }
            guard header.literal.size <= UInt64(Int64.max) else { throw .numberTooBig }
            guard header.literal.size <= settings.largestMessage else { throw .messageTooBig }
            try storing { () throws(StoreError) in
                try transaction.begin(flags: header.flags, date: header.date?.seconds, size: header.literal.size)
            }
        } catch {
            wire.refuseMessage()
            throw error
        }
        wire.acceptMessage()
        if header.literal.isSynchronizing { wire.out.continuation("Send the message") }
        do {
            try wire.receiveMessage { (bytes) throws(CommandFailure) in
                if !header.literal.isBinary, let start = bytes.baseAddress, memchr(start, 0, bytes.count) != nil {
                    throw .nulInLiteral
                }
                try storing { () throws(StoreError) in try transaction.write(bytes) }
            }
            try storing { () throws(StoreError) in try transaction.end() }
        } catch {
            if case .connection = error { throw error }
            wire.refuseMessage()
            throw error
        }
    }
}

/// Keeps what clients will ask of the messages of an APPEND, while they are being written to the disk: so nobody need read them.
private final class DerivedRecords {
    private let transaction: any AppendTransaction
    private lazy var reader = ContentReader()
    private lazy var maker = RecordMaker()

    init(_ transaction: any AppendTransaction) { self.transaction = transaction }

    /// Of the message that was ended last.
    func keep() {
        guard let content = transaction.written() else { return }
        reader.open(content)
        maker.make(from: reader, .whole) { transaction.keep($0) }
        reader.close()
    }
}

extension Selected {
    /// Beyond APPEND itself: a message in this mailbox is told at once.
    consuming func append(_ header: AppendHeader) throws(ConnectionEnd) -> SessionState {
        let tag = header.tagOfCommand
        let completion: Completion
        do { completion = try account.append(header) } catch { return try fail(tag, error, .after) }
        return try finish(tag, completion, .after)
    }
}

extension AppendHeader {
    /// The tag, of the header with which a command begins.
    var tagOfCommand: Tag {
        guard let tag else { preconditionFailure("a further message of an APPEND that is not under way") }
        return tag
    }
}
