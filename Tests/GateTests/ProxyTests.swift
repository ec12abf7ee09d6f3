import TestSupport
import Testing

@testable import Gate
@testable import Transport

/// A gate behind a proxy.
@Suite struct ProxyTests {
    private let header = "PROXY TCP4 192.0.2.1 198.51.100.1 56062 143\r\n"

    private func rules(
        _ plaintext: GateRules.PlaintextLogin = .always, _ change: (inout GateRules) -> Void = { _ in }
    ) -> GateRules {
        var rules = GateRules(plaintextLogin: plaintext)
        rules.expectsProxyHeader = true
        change(&rules)
        return rules
    }

    @Test("nobody hears anything before the header")
    func headerFirst() throws {
        let gate = try GateHarness(rules())
        let lines = try gate.say(header + "a NOOP\r\n")
        #expect(lines.count == 2 && lines[0].hasPrefix("* OK ") && lines[1].hasPrefix("a OK "), "\(lines)")
        _ = gate.end()
        #expect(gate.clients == [PeerAddress(IPAddress("192.0.2.1"), port: 56062)])
    }

    @Test("a header in pieces is a header")
    func pieces() throws {
        let gate = try GateHarness(rules())
        for byte in header { try gate.client.send(String(byte)) }
        #expect(try gate.client.line()?.hasPrefix("* OK ") == true)
    }

    @Test("TLS begins with the next byte")
    func thenTLS() async throws {
        let certificate = try await Certificate()
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        for implicit in [true, false] {
            let gate = try GateHarness(rules(.never) {
                $0.tls = context
                $0.usesImplicitTLS = implicit
            })
            try gate.client.send(header)
            if !implicit {
                #expect(try gate.client.line()?.hasPrefix("* OK ") == true)
                #expect(try gate.client.command("STARTTLS").last?.contains(" OK ") == true)
            }
            try gate.client.startTLS()
            if implicit { #expect(try gate.client.line()?.hasPrefix("* OK ") == true) }
            #expect(try gate.client.command("LOGOUT").last?.contains(" OK ") == true)
            _ = gate.end()
            #expect(gate.clients.count == 1)
        }
    }

    @Test("a header inside of TLS is none")
    func headerAfterTLS() async throws {
        let certificate = try await Certificate()
        let context = try TLSContext(certificate: certificate.certificate, key: certificate.key)
        let gate = try GateHarness(rules(.never) {
            $0.tls = context
            $0.usesImplicitTLS = true
        })
        #expect(throws: MailClient.Failure.self) { try gate.client.startTLS() }
        #expect(gate.end().end == .badProxyHeader)
        #expect(gate.clients.isEmpty)
    }

    @Test("a client that comes by itself is told", arguments: ["a NOOP\r\n", "PROXY TCP4 a b c d\r\n", "PROXY TCP4 1.1.1.1"])
    func noHeader(text: String) throws {
        let gate = try GateHarness(rules { $0.proxyTimeLimit = .milliseconds(200) })
        try gate.client.send(text)
        let lines = try gate.client.rest()
        #expect(lines.count == 1 && lines[0].hasPrefix("* BYE ") && lines[0].contains("PROXY"), "\(lines)")
        #expect(gate.end().end == .badProxyHeader)
        #expect(gate.clients.isEmpty)
    }

    @Test("a header where none is expected is a bad command")
    func unexpected() throws {
        let gate = try GateHarness()
        let lines = try gate.say(header)
        #expect(lines.count == 2 && lines[0].hasPrefix("* OK ") && lines[1].contains("BAD"), "\(lines)")
        _ = gate.end()
        #expect(gate.clients.isEmpty)
    }

    @Test("whom the monitor does not want is told why")
    func turnedAway() throws {
        let gate = try GateHarness(rules(), notice: Notice(.limit, "Too many (limit 1)"))
        #expect(try gate.say(header + "a NOOP\r\n") == ["* BYE [LIMIT] Too many (limit 1)"])
        #expect(gate.end().end == .turnedAway)
    }

    @Test("the proxy's own connections are served, as the proxy's")
    func itself() throws {
        let gate = try GateHarness(rules())
        #expect(try gate.say("PROXY UNKNOWN\r\na LOGOUT\r\n").last?.hasPrefix("a OK ") == true)
        _ = gate.end()
        #expect(gate.clients == [nil])
    }

    @Test("who comes through a proxy on this machine is not on this machine")
    func loopback() throws {
        let far = try GateHarness(rules(.fromLoopback))
        #expect(try far.say(header + "a CAPABILITY\r\n").first?.contains("LOGINDISABLED") == true)
        let near = try GateHarness(rules(.fromLoopback))
        #expect(try near.say("PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\na CAPABILITY\r\n").first?.contains("AUTH=PLAIN") == true)
    }
}
