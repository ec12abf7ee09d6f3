import Authentication
import Gate
import Glibc
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// What an authenticator tells its monitor, over a pipe: the length (4 bytes, the highest first), and that many.
enum AuthenticatorResult: Equatable {
    case accepted(AccountDirectory.Accepted)
    /// What to say to the client.
    case challenge([UInt8])
    /// `reason` is for the log.
    case refused(Verdict, reason: String)
    /// Said by the keeper, of an authenticator that cannot say anything any more.
    case crashed(signal: Int32)

    /// PAM asks directories and other machines, and these may be slow.
    private static let patience: Duration = .seconds(60)
    /// Bytes: room for 65,536 groups, the most that Linux allows.
    private static let longest = 300_000

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .accepted(let accepted):
            let account = accepted.account
            writer.byte(0)
            writer.number(account.uid)
            writer.number(account.gid)
            writer.number(UInt32(account.groups.count))
            for group in account.groups { writer.number(group) }
            writer.string(Array(account.name.utf8))
            writer.string(Array(account.home.utf8))
            writer.string(Array((accepted.label ?? "").utf8))
            writer.string(accepted.serverFinal)
        case .challenge(let challenge):
            writer.byte(5)
            writer.string(challenge)
        case .refused(let verdict, let reason):
            switch verdict {
            case .rejected: writer.byte(1)
            case .expired: writer.byte(2)
            case .disabled: writer.byte(3)
            case .accepted, .unavailable: writer.byte(4)
            }
            writer.string(Array(reason.utf8.prefix(1000)))
        case .crashed(let signal):
            writer.byte(6)
            writer.number(UInt32(bitPattern: signal))
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        switch reader.byte() {
        case 0:
            guard let uid = reader.number(), let gid = reader.number(), let count = reader.number(), count <= 65_536
            else { return nil }
            var groups: [gid_t] = []
            for _ in 0..<count {
                guard let group = reader.number() else { return nil }
                groups.append(group)
            }
            guard let name = reader.text(atMost: 255), let home = reader.text(atMost: 4096), let label = reader.text(atMost: 64),
                  let serverFinal = reader.string(atMost: Answer.longestMessage)
            else { return nil }
            self = .accepted(AccountDirectory.Accepted(
                account: Account(name: name, uid: uid, gid: gid, groups: groups, home: home), label: label.isEmpty ? nil : label,
                serverFinal: Array(serverFinal)))
        case let code? where (1...4).contains(code):
            guard let reason = reader.text(atMost: 1000) else { return nil }
            self = .refused([.rejected, .expired, .disabled, .unavailable][Int(code) - 1], reason: reason)
        case 5:
            guard let challenge = reader.string(atMost: Answer.longestMessage) else { return nil }
            self = .challenge(Array(challenge))
        case 6:
            guard let signal = reader.number(), (1...64).contains(signal) else { return nil }
            self = .crashed(signal: Int32(signal))
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }

    // MARK: - The pipe

    /// - Returns: whether it is on its way.
    func send(to pipe: Int32) -> Bool {
        let body = wire
        var frame = WireWriter(capacity: body.count + 4)
        frame.string(body)
        var sent = 0
        while sent < frame.bytes.count {
            let count = frame.bytes.withUnsafeBytes { write(pipe, $0.baseAddress! + sent, $0.count - sent) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Why nothing was said, or nothing that makes sense.
    enum Silence: Error {
        case ended, late, shutdown
    }

    /// Does not wait for the end of whoever says it.
    ///
    /// - Parameter end: readable when nobody wants to know any more.
    static func receive(from pipe: Int32, orUntil end: Int32) throws(Silence) -> AuthenticatorResult {
        let bytes = try bytes(from: pipe, orUntil: end) { bytes in
            guard bytes.count >= 4 else { return false }
            return bytes.count >= 4 + bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
        }
        var reader = WireReader(bytes)
        guard let body = reader.string(atMost: longest), reader.isAtEnd, let result = Self(wire: Array(body))
        else { throw .ended }
        return result
    }

    /// All that is written to a pipe until it is closed, or that is enough.
    static func bytes(
        from pipe: Int32, orUntil end: Int32, isEnough: ([UInt8]) -> Bool = { _ in false }
    ) throws(Silence) -> [UInt8] {
        let deadline = Deadline(after: patience)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var polled = (pollfd(fd: pipe, events: Int16(POLLIN), revents: 0), pollfd(fd: end, events: Int16(POLLIN), revents: 0))
            let ready = withUnsafeMutableBytes(of: &polled) { bytes in
                poll(bytes.bindMemory(to: pollfd.self).baseAddress, 2, deadline.milliseconds)
            }
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { throw .late }
            guard polled.1.revents == 0 else { throw .shutdown }
            let count = read(pipe, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0, bytes.count + count <= longest + 4 else { throw .ended }
            bytes += buffer[..<count]
            if isEnough(bytes) { return bytes }
        }
    }
}
