import Glibc
@testable import IMAPSession
import Testing
import Transport

/// What depends on time, or on whoever runs the session: transcripts have neither.
@Suite("A session")
struct SessionTests {
    @Test("says goodbye after a long silence")
    func autologout() throws {
        let peer = try SessionPeer { $0.autologout = .milliseconds(20) }
        #expect(try peer.readAll() == "* BYE Logged out after a long silence\r\n")
    }

    @Test("does not log out who is in IDLE, and says now and then that it is there")
    func idleNotice() throws {
        let peer = try SessionPeer {
            $0.autologout = .milliseconds(20)
            $0.idleNotice = .milliseconds(60)
        }
        peer.send("a IDLE\r\n")
        #expect(try peer.readLine().hasPrefix("+ "))
        #expect(try peer.readLine() == "* OK Still here")
        #expect(try peer.readLine() == "* OK Still here")
        peer.send("DONE\r\nb LOGOUT\r\n")
        #expect(try peer.readLine().hasPrefix("a OK"))
        #expect(try peer.readLine().hasPrefix("* BYE"))
    }

    @Test("gives back memory in silence, but none that it still needs")
    func silence() throws {
        let peer = try SessionPeer()
        let text = String(repeating: String(repeating: "x", count: 126) + "\r\n", count: 1 << 13)
        peer.send("a APPEND INBOX {4}\r\n")
        #expect(try peer.readLine().hasPrefix("+ "))
        // Between two pieces of a command.
        sleep(1)
        usleep(200_000)
        peer.send("text\r\nb APPEND INBOX {\(text.utf8.count)+}\r\n\(text)\r\nc SELECT INBOX\r\nd FETCH 2 BODY[]\r\ne IDLE\r\n")
        // In the midst of what nobody reads yet.
        sleep(1)
        usleep(200_000)
        var line = ""
        while !line.hasPrefix("d ") { line = try peer.readLine() }
        while !line.hasPrefix("+ ") { line = try peer.readLine() }
        // And while it waits.
        sleep(1)
        usleep(200_000)
        peer.send("DONE\r\nf NOOP\r\ng LOGOUT\r\n")
        let rest = try peer.readAll()
        #expect(rest.contains("e OK") && rest.contains("f OK") && rest.contains("g OK"), "\(rest)")
    }

    @Test("says goodbye when the daemon stops, in IDLE too", arguments: ["", "a IDLE\r\n"])
    func shutdown(_ before: String) throws {
        let peer = try SessionPeer()
        peer.send(before)
        if !before.isEmpty { #expect(try peer.readLine().hasPrefix("+ ")) }
        peer.stopDaemon()
        #expect(try peer.readAll() == "* BYE [UNAVAILABLE] The server is going down\r\n")
    }

    @Test("stops in the midst of a long command when the daemon does", arguments: [
        "SEARCH SUBJECT y", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "FETCH 1:* FLAGS",
    ])
    func longCommand(_ command: String) throws {
        let trouble = Trouble()
        let peer = try SessionPeer(store: { OddStore(trouble: trouble) })
        peer.send("a APPEND INBOX" + String(repeating: " {1+}\r\nx", count: 300) + "\r\nb SELECT INBOX\r\n")
        while try !peer.readLine().hasPrefix("b OK") {}
        trouble.whenRefreshed.withLock { $0 = peer.stopper }
        peer.send("c \(command)\r\n")
        let lines = try peer.readAll().split(separator: "\r\n")
        #expect(!lines.contains { $0.hasPrefix("c ") })
        #expect(lines.last?.hasPrefix("* BYE [UNAVAILABLE] ") == true)
    }

    @Test("gives up on a client that makes no sense for long, and on no other")
    func badCommands() throws {
        let peer = try SessionPeer { $0.badCommands = 3 }
        peer.send("a X\r\nb X\r\nc X\r\nd NOOP\r\ne X\r\nf X\r\ng X\r\nh X\r\ni NOOP\r\n")
        let lines = try peer.readAll().split(separator: "\r\n")
        #expect(lines.count == 9)
        #expect(lines.filter { $0.contains(" BAD ") }.count == 7)
        #expect(lines.last == "* BYE Too many commands that make no sense")
    }

    @Test("begins with what the gate had read ahead")
    func readAhead() throws {
        let peer = try SessionPeer(readAhead: "a NOOP\r\nb LOG")
        #expect(try peer.readLine().hasPrefix("a OK"))
        peer.send("OUT\r\n")
        #expect(try peer.readAll().contains("b OK"))
    }

    @Test("takes no larger message than it may")
    func largestMessage() throws {
        let peer = try SessionPeer { $0.largestMessage = 10 }
        peer.send("a APPEND INBOX {11}\r\n")
        #expect(try peer.readLine().hasPrefix("a NO [TOOBIG] "))
        // What comes unasked is thrown away.
        peer.send("b APPEND INBOX {11+}\r\nhello world\r\nc APPEND INBOX {10+}\r\nhello worl\r\nd LOGOUT\r\n")
        #expect(try peer.readLine().hasPrefix("b NO [TOOBIG] "))
        #expect(try peer.readLine().hasPrefix("c OK "))
    }

    @Test("tells who it is")
    func identity() throws {
        let peer = try SessionPeer { $0.identity = [("name", "imapd"), ("version", "7")] }
        peer.send("a ID NIL\r\n")
        #expect(try peer.readLine() == #"* ID ("name" "imapd" "version" "7")"#)
    }

    @Test("lets the store tidy up when nobody waits, and before it ends")
    func tidies() throws {
        let work = Work()
        let peer = try SessionPeer(store: { OddStore(work) })
        // Nothing is said: it is done all the same.
        while work.left > 0 { usleep(1000) }
        peer.send("a LOGOUT\r\n")
        _ = try peer.readAll()
        #expect(peer.waitForEnd())

        let more = Work()
        let hasty = try SessionPeer(store: { OddStore(more) })
        hasty.send("a LOGOUT\r\n")
        _ = try hasty.readAll()
        #expect(hasty.waitForEnd())
        #expect(more.left == 0)
    }

    @Test("goes on with what it knows when it cannot look for more")
    func cannotRefresh() throws {
        let peer = try SessionPeer(store: { OddStore(trouble: Trouble(refresh: true, claimRecent: true)) })
        peer.send("a SELECT INBOX\r\nb NOOP\r\nc IDLE\r\nd LOGOUT\r\n")
        let lines = try peer.readAll().split(separator: "\r\n")
        #expect(lines.contains { $0.hasPrefix("a OK ") })
        #expect(lines.contains { $0.hasPrefix("b OK ") })
        // In IDLE the same trouble would wake it again and again.
        #expect(lines.contains { $0.hasPrefix("c NO [CORRUPTION] ") })
        #expect(lines.contains { $0.hasPrefix("d OK ") })
    }
}

@Suite("The wire")
struct WireTests {
    /// What was sent in part must not be followed by a goodbye: it would be taken for the rest.
    @Test("knows that a response was cut off")
    func cutOff() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        defer { close(ends[0]) }
        let connection = Connection(descriptor: ends[1])
        connection.sendTimeout = .milliseconds(10)
        let wire = Wire(connection: connection, readAhead: [], autologout: .seconds(1), record: SessionRecord())
        wire.out.untagged(.ok, nil, "This fits")
        try wire.flush()
        #expect(!wire.isCut)
        wire.out.write([UInt8](repeating: 0x78, count: 1 << 22))
        #expect(throws: ConnectionEnd.timedOut) { try wire.flush() }
        #expect(wire.isCut)
    }
}
