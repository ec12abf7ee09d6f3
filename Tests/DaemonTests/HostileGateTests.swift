import Authentication
import Foundation
import Gate
import Glibc
import TestSupport
import Testing
import Transport

@testable import Daemon

/// A gate that the attacker has taken over says anything at all: the monitor hears what is due, or ends.
@Suite struct HostileGateTests {
    /// What a monitor has heard of a gate that then hangs up.
    private struct Hearing {
        var heard: [GateMessage] = []
        var end: GateChannel.Failure?
        /// Bytes that were read.
        var read = 0
    }

    /// The monitor's own reading, with an answer to whatever could be an attempt.
    private static func hear(_ due: DueMessages, _ write: (Int32) -> Void) throws -> Hearing {
        let (first, second) = try Descriptor.streamPair().release()
        let gate = Descriptor(owning: first)
        write(gate.number)
        shutdown(gate.number, Int32(SHUT_WR))
        var channel = GateChannel(connection: Connection(descriptor: second), due: due, deadline: Deadline(after: .seconds(60)))
        var hearing = Hearing()
        do throws(GateChannel.Failure) {
            while true {
                let message = try channel.next()
                #expect(message.length <= message.kind.longest)
                let body = try channel.body(of: message)
                #expect(body.count == message.length)
                hearing.read += GateMessage.headerLength + body.count
                hearing.heard.append(message.kind)
                read(message.kind, body)
            }
        } catch { hearing.end = error }
        return hearing
    }

    /// Every body is refused or is what it was.
    private static func read(_ kind: GateMessage, _ body: [UInt8]) {
        switch kind {
        case .credentials:
            if let attempt = LoginAttempt(wire: body) {
                #expect(attempt.wire == body)
                if let credentials = attempt.credentials {
                    #expect(!credentials.user.isEmpty && credentials.user.utf8.count <= Credentials.longestUser)
                    #expect(!credentials.user.utf8.contains { $0 < 0x20 })
                }
            }
        case .opening: _ = SCRAMAttempt(wire: body)?.opening
        case .ended: if let end = GateEnd(wire: body) { #expect(end.wire == body) }
        case .proxied: if let peer = PeerAddress(wire: body) { #expect(PeerAddress(wire: peer.wire) == peer) }
        case .certificate: if let attempt = CertificateAttempt(wire: body) { #expect(attempt.wire == body) }
        case .secured, .identified, .handover, .clientFinal: break
        }
    }

    private static func says(_ bytes: [UInt8]) -> (Int32) -> Void {
        // What does not fit into the socket would wait for a reader: inputs are shorter.
        { #expect(bytes.isEmpty || send($0, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count) }
    }

    /// What a gate that keeps to its rules may say.
    private static func conversation(_ random: inout SeededGenerator) -> [[UInt8]] {
        let credentials = Credentials(user: Array("ada".utf8), password: Secret(Array("secret".utf8)))
        let frames = [
            GateMessage.secured.frame([1, 2, 3]), GateMessage.ended.frame([2]), GateMessage.handover.frame(Array("a NOOP\r\n".utf8)),
            GateMessage.credentials.frame(LoginAttempt(mechanism: .plain, credentials: credentials).wire),
            GateMessage.credentials.frame([0]), GateMessage.opening.frame([0, 0, 0, 0, 0, 0, 0, 0, 0]),
            GateMessage.clientFinal.frame(Array("c=biws".utf8)), GateMessage.identified.frame(Array("name=x".utf8)),
            GateMessage.ended.frame([6] + Array("TLS: no".utf8)), GateMessage.proxied.frame([0, 1, 192, 0, 2, 1]),
        ]
        return (0..<Int.random(in: 1...6, using: &random)).map { _ in frames.randomElement(using: &random)! }
    }

    private static let allowances = [
        DueMessages(tlsIsPossible: true, scramIsPossible: true, certificatesArePossible: true, attempts: 3),
        DueMessages(tlsIsPossible: false, scramIsPossible: false, attempts: 1), .afterLogin,
        DueMessages(tlsIsPossible: true, scramIsPossible: true, attempts: 3, isProxied: true),
    ]

    /// A model of the table, in other words than the code's.
    private func expectDue(_ hearing: Hearing, _ allowance: Int) {
        var count: [GateMessage: Int] = [:]
        for kind in hearing.heard { count[kind, default: 0] += 1 }
        let most: [GateMessage: Int] = [
            [.secured: 1, .identified: 1, .credentials: 3, .opening: 3, .certificate: 3, .ended: 1],
            [.identified: 1, .credentials: 1, .ended: 1], [.handover: 1],
            [.proxied: 1, .secured: 1, .identified: 1, .credentials: 3, .opening: 3, .ended: 1],
        ][allowance]
        for (kind, times) in count { #expect(times <= most[kind] ?? 0, "\(kind) \(times) times") }
        #expect(hearing.end != nil && hearing.end != .end(.timedOut))
    }

    @Test("frames in any order, whole, mutated, cut and run together", arguments: 0..<16 as Range<UInt64>)
    func mutations(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        for _ in 0..<300 * thoroughness {
            var bytes = Self.conversation(&random).flatMap { $0 }
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = .random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(.random(in: 0...8, using: &random), at: at)
                default: bytes.removeSubrange(at...)
                }
            }
            let allowance = Int.random(in: 0..<Self.allowances.count, using: &random)
            let hearing = try Self.hear(Self.allowances[allowance], Self.says(bytes))
            expectDue(hearing, allowance)
            #expect(hearing.read <= bytes.count)
        }
    }

    @Test("noise", arguments: 0..<8 as Range<UInt64>)
    func noise(seed: UInt64) throws {
        var random = SeededGenerator(seed &+ 100)
        for _ in 0..<400 * thoroughness {
            // Small numbers, so that some of it makes sense.
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...8, using: &random) }
            let allowance = Int.random(in: 0..<Self.allowances.count, using: &random)
            expectDue(try Self.hear(Self.allowances[allowance], Self.says(bytes)), allowance)
        }
    }

    @Test("every prefix of a conversation says its beginning", arguments: 0..<8 as Range<UInt64>)
    func prefixes(seed: UInt64) throws {
        var random = SeededGenerator(seed &+ 200)
        let bytes = Self.conversation(&random).flatMap { $0 }
        for allowance in Self.allowances.indices {
            let whole = try Self.hear(Self.allowances[allowance], Self.says(bytes))
            for length in 0..<bytes.count {
                let part = try Self.hear(Self.allowances[allowance], Self.says(Array(bytes.prefix(length))))
                #expect(part.heard.elementsEqual(whole.heard.prefix(part.heard.count)))
            }
        }
    }

    @Test("a byte at a time is the same", arguments: 0..<8 as Range<UInt64>)
    func slowly(seed: UInt64) throws {
        var random = SeededGenerator(seed &+ 300)
        let bytes = Self.conversation(&random).flatMap { $0 }
        for allowance in Self.allowances.indices {
            let whole = try Self.hear(Self.allowances[allowance], Self.says(bytes))
            let slow = try Self.hear(Self.allowances[allowance]) { gate in
                for byte in bytes { Self.says([byte])(gate) }
            }
            #expect(slow.heard == whole.heard && slow.end == whole.end)
        }
    }

    @Test("a flood is not read beyond what is due")
    func flood() throws {
        let attempt = GateMessage.credentials.frame([0])
        let hearing = try Self.hear(Self.allowances[0], Self.says(Array(repeatElement(attempt, count: 10_000).joined())))
        #expect(hearing.heard == [.credentials, .credentials, .credentials])
        #expect(hearing.end == .notDue(kind: GateMessage.credentials.rawValue, length: 1))
    }

    @Test("results, orders and reports are refused or are what they were", arguments: 0..<8 as Range<UInt64>)
    func otherMessages(seed: UInt64) {
        var random = SeededGenerator(seed &+ 400)
        for _ in 0..<2_000 * thoroughness {
            let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in UInt8.random(in: 0...9, using: &random) }
            if let answer = Answer(wire: bytes) { #expect(answer.wire == bytes) }
            if let order = Order(wire: bytes) { #expect(order.wire == bytes) }
            if let report = Report(wire: bytes) { #expect(Report(wire: report.wire) == report) }
            _ = AuthenticatorQuestion.parse(bytes)
            if let result = AuthenticatorResult(wire: bytes) { #expect(AuthenticatorResult(wire: result.wire) == result) }
        }
    }
}
