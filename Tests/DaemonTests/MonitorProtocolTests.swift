import Authentication
import Gate
import Glibc
import Privilege
import SystemAuthentication
import Testing
import Transport

@testable import Daemon

/// What a monitor hears from a gate that the attacker may have taken over.
@Suite struct MonitorProtocolTests {
    /// A gate's end of the socket, on which a test writes what it likes, and the monitor's.
    private struct Pair: ~Copyable {
        let gate: Descriptor
        var channel: GateChannel

        init(_ due: DueMessages = DueMessages(tlsIsPossible: true, scramIsPossible: true, certificatesArePossible: true, attempts: 3),
             atMost time: Duration = .seconds(60)) throws {
            let (first, second) = try Descriptor.streamPair().release()
            gate = Descriptor(owning: first)
            channel = GateChannel(connection: Connection(descriptor: second), due: due, deadline: Deadline(after: time))
        }

        func says(_ bytes: [UInt8]) { #expect(send(gate.number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count) }

        func hangsUp() { shutdown(gate.number, Int32(SHUT_WR)) }
    }

    @Test("what is due is heard, as often as it is due")
    func due() throws {
        var pair = try Pair()
        for kind in [GateMessage.secured, .credentials, .credentials, .credentials, .ended] {
            pair.says(kind.frame([1, 2, 3].prefix(kind.longest)))
            let message = try pair.channel.next()
            #expect(message.kind == kind)
            #expect(try pair.channel.body(of: message).first == 1)
        }
    }

    @Test("what is not due is not heard", arguments: [
        [GateMessage.handover], [.secured, .secured], [.ended, .ended], [.credentials, .credentials, .credentials, .credentials],
    ])
    func notDue(kinds: [GateMessage]) throws {
        var pair = try Pair()
        for kind in kinds { pair.says(kind.frame([])) }
        for _ in kinds.dropLast() { _ = try pair.channel.body(of: pair.channel.next()) }
        #expect(throws: GateChannel.Failure.notDue(kind: kinds.last!.rawValue, length: 0)) { try pair.channel.next() }
    }

    @Test("after login, only the handover is due", arguments: GateMessage.allCases)
    func afterLogin(kind: GateMessage) throws {
        var pair = try Pair(.afterLogin)
        pair.says(kind.frame([]))
        if kind == .handover {
            #expect(try pair.channel.next().kind == .handover)
        } else {
            #expect(throws: GateChannel.Failure.notDue(kind: kind.rawValue, length: 0)) { try pair.channel.next() }
        }
    }

    @Test("TLS that nobody offered has not begun")
    func impossibleTLS() throws {
        var pair = try Pair(DueMessages(tlsIsPossible: false, scramIsPossible: false, attempts: 3))
        pair.says(GateMessage.secured.frame([]))
        #expect(throws: GateChannel.Failure.notDue(kind: 1, length: 0)) { try pair.channel.next() }
    }

    @Test("certificates that nobody asked for are not shown")
    func impossibleCertificate() throws {
        var pair = try Pair(DueMessages(tlsIsPossible: true, scramIsPossible: true, attempts: 3))
        pair.says(GateMessage.certificate.frame([]))
        #expect(throws: GateChannel.Failure.notDue(kind: 8, length: 0)) { try pair.channel.next() }
    }

    @Test func certificateRoundTrip() throws {
        let attempt = CertificateAttempt(identity: Array("a@example.org".utf8), proof: [1, 2, 3])
        #expect(CertificateAttempt(wire: attempt.wire) == attempt)
        #expect(GateMessage.certificate.longest <= Int(UInt16.max))
        for count in attempt.wire.indices { #expect(CertificateAttempt(wire: Array(attempt.wire.prefix(count))) == nil) }
        #expect(CertificateAttempt(wire: attempt.wire + [0]) == nil)
    }

    @Test func verifierRoundTrip() throws {
        let long = String(repeating: "x", count: 256)
        for (said, heard) in [
            (VerifierResult.refused(reason: "expired"), VerifierResult.refused(reason: "expired")),
            (.certificate(ClientCertificate(subject: "CN=a", names: [])), .certificate(ClientCertificate(subject: "CN=a", names: []))),
            (.certificate(ClientCertificate(subject: "CN=a", names: [long, "b"] + [String](repeating: "c", count: 20))),
             .certificate(ClientCertificate(subject: "CN=a", names: ["b"] + [String](repeating: "c", count: 15)))),
        ] {
            #expect(VerifierResult(wire: said.wire) == heard)
        }
        #expect(VerifierResult(wire: []) == nil && VerifierResult(wire: [2]) == nil && VerifierResult(wire: [1, 0]) == nil)
    }

    @Test("a proxy is heard first, and nothing else before", arguments: GateMessage.allCases)
    func proxied(kind: GateMessage) throws {
        let due = DueMessages(
            tlsIsPossible: true, scramIsPossible: true, certificatesArePossible: true, attempts: 1, isProxied: true)
        var pair = try Pair(due)
        pair.says(kind.frame([]))
        if kind == .proxied || kind == .ended {
            #expect(try pair.channel.next().kind == kind)
        } else {
            #expect(throws: GateChannel.Failure.notDue(kind: kind.rawValue, length: 0)) { try pair.channel.next() }
        }
        var after = try Pair(due)
        for message in [.proxied, kind] as [GateMessage] { after.says(message.frame([])) }
        _ = try after.channel.next()
        if [.proxied, .handover, .clientFinal].contains(kind) {
            #expect(throws: GateChannel.Failure.notDue(kind: kind.rawValue, length: 0)) { try after.channel.next() }
        } else {
            #expect(try after.channel.next().kind == kind)
        }
    }

    @Test func peerRoundTrip() throws {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let peer = PeerAddress(IPAddress(text), port: 56062)
            #expect(PeerAddress(wire: peer.wire) == peer && peer.wire.count <= PeerAddress.longestWire)
            for count in peer.wire.indices { #expect(PeerAddress(wire: Array(peer.wire.prefix(count))) == nil || count == 6) }
            #expect(PeerAddress(wire: peer.wire + [0]) == nil)
        }
    }

    @Test("any first byte but those of messages that are due ends it", arguments: UInt8.min...UInt8.max)
    func kinds(kind: UInt8) throws {
        var pair = try Pair()
        pair.says([kind, 0, 0])
        if let known = GateMessage(rawValue: kind), known != .handover, known != .clientFinal, known != .proxied {
            #expect(try pair.channel.next().kind == known)
        } else {
            #expect(throws: GateChannel.Failure.notDue(kind: kind, length: 0)) { try pair.channel.next() }
        }
    }

    @Test("a message that is too long ends it before it is read", arguments: [GateMessage.secured, .credentials, .ended])
    func tooLong(kind: GateMessage) throws {
        for length in [kind.longest + 1, Int(UInt16.max)] {
            var pair = try Pair()
            pair.says([kind.rawValue, UInt8(length >> 8), UInt8(length & 0xFF)])
            #expect(throws: GateChannel.Failure.notDue(kind: kind.rawValue, length: length)) { try pair.channel.next() }
        }
    }

    @Test("half a message is none", arguments: [[], [2], [2, 0], [2, 0, 5, 1, 2]] as [[UInt8]])
    func half(bytes: [UInt8]) throws {
        var pair = try Pair()
        pair.says(bytes)
        pair.hangsUp()
        #expect(throws: GateChannel.Failure.end(.closed)) { try pair.channel.body(of: pair.channel.next()) }
    }

    @Test("a gate that says nothing is given up")
    func silence() throws {
        var pair = try Pair(atMost: .milliseconds(1))
        pair.says([2, 0])
        #expect(throws: GateChannel.Failure.end(.timedOut)) { try pair.channel.next() }
    }

    @Test("nothing is read beyond a message: what follows is the client's")
    func nothingBeyond() throws {
        var pair = try Pair(.afterLogin)
        pair.says(GateMessage.handover.frame(Array("a2 NOOP\r\n".utf8)) + Array("a3 NOOP\r\n".utf8))
        #expect(try pair.channel.body(of: pair.channel.next()) == Array("a2 NOOP\r\n".utf8))
        var rest = [UInt8](repeating: 0, count: 100)
        let count = try rest.withUnsafeMutableBytes { (buffer) throws(ConnectionEnd) in
            try pair.channel.connection.receive(into: buffer, atMost: .seconds(60))
        }
        #expect(rest.prefix(count).elementsEqual("a3 NOOP\r\n".utf8))
    }

    // MARK: - Bodies

    @Test func attemptRoundTrip() throws {
        for password in [[], Array("secret".utf8), [UInt8](repeating: 0xFF, count: Credentials.longestPassword)] {
            let credentials = try #require(Credentials(user: Array("jörg".utf8), password: Secret(password)))
            let wire = LoginAttempt(mechanism: .plain, credentials: credentials).wire
            #expect(wire.count <= GateMessage.credentials.longest)
            let read = try #require(LoginAttempt(wire: wire))
            #expect(read.mechanism == .plain)
            #expect(read.credentials?.user == "jörg")
            #expect(read.credentials?.password.withBytes { Array($0) } == password)
        }
        let refused = try #require(LoginAttempt(wire: LoginAttempt(mechanism: .login, credentials: nil).wire))
        #expect(refused.credentials == nil)
    }

    @Test("any prefix, and anything appended, is refused")
    func malformedAttempts() throws {
        let credentials = try #require(Credentials(user: Array("ada".utf8), password: Secret(Array("secret".utf8))))
        let wire = LoginAttempt(mechanism: .plain, credentials: credentials).wire
        // One byte, the mechanism alone, is an attempt that cannot succeed.
        for count in 0..<wire.count where count != 1 { #expect(LoginAttempt(wire: Array(wire.prefix(count))) == nil) }
        #expect(LoginAttempt(wire: wire + [0]) == nil)
    }

    @Test("users and passwords that cannot be are refused", arguments: [
        ([], [1]), ([0x61, 0], [1]), ([0x0A], [1]), ([0xFF], [1]), ([0x61], [0]),
        ([UInt8](repeating: 0x61, count: 256), [1]), ([0x61], [UInt8](repeating: 1, count: 1025)),
    ] as [([UInt8], [UInt8])])
    func impossibleCredentials(user: [UInt8], password: [UInt8]) {
        var writer = WireWriter()
        writer.byte(LoginAttempt.Mechanism.plain.rawValue)
        writer.string(user)
        writer.string(password)
        #expect(LoginAttempt(wire: writer.bytes) == nil)
    }

    @Test("lengths that lie do not reach beyond the message", arguments: [UInt32.max, 1 << 31, 4, 256])
    func lyingLengths(length: UInt32) {
        var writer = WireWriter()
        writer.byte(LoginAttempt.Mechanism.plain.rawValue)
        writer.number(length)
        #expect(LoginAttempt(wire: writer.bytes + [1, 2, 3]) == nil)
    }

    @Test func answerRoundTrip() {
        for outcome in Answer.Outcome.allCases {
            for isLast in [false, true] {
                for length in [0, 1, 255, 256, Answer.longestMessage] {
                    let answer = Answer(outcome, isLast: isLast, message: [UInt8](repeating: 7, count: length))
                    #expect(Answer(wire: answer.wire) == answer)
                    #expect(Answer(wire: answer.wire + [0]) == nil)
                    #expect(Answer(wire: answer.wire.dropLast()) == nil)
                }
            }
        }
        #expect(Answer(wire: [200, 0, 0, 0]) == nil)
        #expect(Answer(wire: [0, 2, 0, 0]) == nil)
        #expect(Answer.messageLength(header: [0, 0, 0xFF, 0xFF]) == nil)
    }

    @Test func scramRoundTrip() throws {
        for attempt in [
            SCRAMAttempt(clientFirst: Array("n,,n=ann,r=12345678".utf8), isPlus: false, binding: nil),
            SCRAMAttempt(clientFirst: [], isPlus: true, binding: [UInt8](repeating: 9, count: 32)),
            SCRAMAttempt(clientFirst: [UInt8](repeating: 1, count: SCRAM.longestMessage), isPlus: false,
                         binding: [UInt8](repeating: 9, count: SCRAMAttempt.longestBinding)),
        ] {
            #expect(attempt.wire.count <= GateMessage.opening.longest)
            #expect(SCRAMAttempt(wire: attempt.wire) == attempt)
            for count in attempt.wire.indices { #expect(SCRAMAttempt(wire: Array(attempt.wire.prefix(count))) == nil) }
            #expect(SCRAMAttempt(wire: attempt.wire + [0]) == nil)
        }
    }

    @Test("a challenge is answered once, before anything else")
    func clientFinal() throws {
        var pair = try Pair(DueMessages(tlsIsPossible: true, scramIsPossible: true, attempts: 2))
        pair.says(GateMessage.clientFinal.frame([1]))
        #expect(throws: GateChannel.Failure.notDue(kind: GateMessage.clientFinal.rawValue, length: 1)) { try pair.channel.next() }

        pair = try Pair(DueMessages(tlsIsPossible: true, scramIsPossible: true, attempts: 2))
        pair.channel.due.expectClientFinal()
        pair.says(GateMessage.credentials.frame([]))
        #expect(throws: GateChannel.Failure.notDue(kind: GateMessage.credentials.rawValue, length: 0)) { try pair.channel.next() }

        pair = try Pair(DueMessages(tlsIsPossible: true, scramIsPossible: true, attempts: 2))
        pair.channel.due.expectClientFinal()
        pair.says(GateMessage.clientFinal.frame([]))
        pair.says(GateMessage.opening.frame([]))
        #expect(try pair.channel.next().kind == .clientFinal)
        #expect(try pair.channel.next().kind == .opening)
    }

    @Test("SCRAM that nobody offered has not begun")
    func noSCRAM() throws {
        var pair = try Pair(DueMessages(tlsIsPossible: true, scramIsPossible: false, attempts: 2))
        pair.says(GateMessage.opening.frame([]))
        #expect(throws: GateChannel.Failure.notDue(kind: GateMessage.opening.rawValue, length: 0)) { try pair.channel.next() }
    }

    @Test func notices() {
        for code in Notice.Code.allCases {
            for text in ["", "Too many (limit 2)", String(repeating: "a", count: 300)] {
                let notice = Notice(code, String(text.prefix(255)))
                #expect(Answer(Notice(code, text)).notice == notice)
                #expect(Notice(code, text).wire.count <= Notice.longestWire)
            }
        }
        #expect(Notice(wire: []) == nil)
        #expect(Notice(wire: [3]) == nil)
        #expect(Notice(wire: [UInt8](repeating: 0, count: 257)) == nil)
        #expect(Answer(.rejected, isLast: true, message: [0, 65]).notice == nil)
    }

    @Test func authenticatorRoundTrip() throws {
        let account = Account(name: "ada", uid: 1000, gid: 1001, groups: [1001, 8, 65_534], home: "/home/ada")
        for result in [AuthenticatorResult.accepted(.init(account: account)), .accepted(.init(account: account, label: "phone", serverFinal: [1, 2])),
                       .challenge(Array("r=".utf8)), .refused(.rejected, reason: "no"), .refused(.expired, reason: "old"),
                       .refused(.disabled, reason: "closed"), .refused(.unavailable, reason: ""), .crashed(signal: 11)] {
            let wire = result.wire
            #expect(AuthenticatorResult(wire: wire) == result)
            for count in wire.indices { #expect(AuthenticatorResult(wire: Array(wire.prefix(count))) == nil) }
            #expect(AuthenticatorResult(wire: wire + [0]) == nil)
        }
    }

    @Test func questionRoundTrip() throws {
        let credentials = try #require(Credentials(user: Array("ada".utf8), password: Secret(Array("pass word".utf8))))
        let attempt = SCRAMAttempt(clientFirst: Array("n,,n=ada,r=12345678".utf8), isPlus: false, binding: [1, 2])
        for question in [AuthenticatorQuestion.password(credentials), .opening(attempt), .certified(user: "ada"),
                         .clientFinal([1, 2, 3], attempt, challenge: [4, 5])] {
            let wire = question.wire(from: "192.0.2.1")
            let (heard, host) = try #require(AuthenticatorQuestion.parse(wire))
            #expect(host == "192.0.2.1" && heard.wire(from: host) == wire)
            for count in wire.indices { #expect(AuthenticatorQuestion.parse(Array(wire.prefix(count))) == nil) }
            #expect(AuthenticatorQuestion.parse(wire + [0]) == nil)
        }
        let longest = SCRAMAttempt(
            clientFirst: [UInt8](repeating: 65, count: SCRAM.longestMessage), isPlus: true,
            binding: [UInt8](repeating: 1, count: SCRAMAttempt.longestBinding))
        let question = AuthenticatorQuestion.clientFinal(
            [UInt8](repeating: 66, count: SCRAM.longestMessage + 1), longest,
            challenge: [UInt8](repeating: 67, count: Answer.longestMessage))
        let wire = question.wire(from: String(repeating: "f", count: 64))
        #expect(wire.count <= AuthenticatorQuestion.longest && AuthenticatorQuestion.parse(wire) != nil)
        #expect(AuthenticatorQuestion.parse(question.wire(from: String(repeating: "f", count: 65))) == nil)
    }
}
