import IMAPGrammar
import MailStore
import Transport

extension Authenticated {
    /// IDLE (RFC 9051 §6.3.13) without a mailbox: there is nothing to tell, but the client may wait.
    func idle() throws(CommandFailure) -> Completion {
        try idle(alongside: nil) { () throws(CommandFailure) in }
    }

    /// Waits for DONE. `tell` is called at the start, and whenever `descriptor` is readable.
    func idle(alongside descriptor: Int32?, tell: () throws(CommandFailure) -> Void) throws(CommandFailure) -> Completion {
        wire.out.continuation("Waiting for DONE")
        var nextNotice = ContinuousClock.now + settings.idleNotice
        var rests = RestSchedule()
        try tell()
        while true {
            let left = nextNotice - ContinuousClock.now
            switch try wait(atMost: rests.wait(atMost: left), alongside: descriptor) {
            case .input:
                guard try isDone() else { throw .notDone }
                return .ok("IDLE completed")
            case .other:
                try tell()
                rests = RestSchedule()
            case .timeout:
                rests.run(tidy)
                if nextNotice - ContinuousClock.now <= .zero {
                    wire.out.untagged(.ok, nil, "Still here")
                    nextNotice = ContinuousClock.now + settings.idleNotice
                }
            }
        }
    }

    private func wait(atMost time: Duration, alongside descriptor: Int32?) throws(CommandFailure) -> Connection.Event {
        do { return try wire.wait(atMost: time, alongside: descriptor) } catch { throw .connection(error) }
    }

    /// Whether the client says "DONE", in any case.
    private func isDone() throws(CommandFailure) -> Bool {
        let line: [UInt8]?
        do { line = try wire.nextLine() } catch { throw .connection(error) }
        guard let line else { return false }
        return line.count == 4 && zip(line, "done".utf8).allSatisfy { $0 | 0x20 == $1 }
    }
}

extension Selected {
    /// IDLE: what others do is told when it happens.
    mutating func idle() throws(CommandFailure) -> Completion {
        let descriptor = try storing { () throws(StoreError) in try mailbox.changeDescriptor() }
        return try account.idle(alongside: descriptor) { () throws(CommandFailure) in
            // What cannot be found out would wake us again and again.
            try takeNews()
            try tell([])
        }
    }
}
