import Foundation
import Glibc
import IMAPSession
import Logging
import IMAPTypes
import MailStore
import MemoryStore
import Synchronization
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

    @Test("says goodbye when the daemon stops, in IDLE too", arguments: ["", "a IDLE\r\n"])
    func shutdown(_ before: String) throws {
        let peer = try SessionPeer { _ in }
        peer.send(before)
        if !before.isEmpty { #expect(try peer.readLine().hasPrefix("+ ")) }
        peer.stopDaemon()
        #expect(try peer.readAll() == "* BYE [UNAVAILABLE] The server is going down\r\n")
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
        let peer = try SessionPeer(readAhead: "a NOOP\r\nb LOG") { _ in }
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
        let peer = try SessionPeer { $0.identity = [("version", "7")] }
        peer.send("a ID NIL\r\n")
        #expect(try peer.readLine() == #"* ID ("name" "imapd" "version" "7")"#)
    }

    @Test("lets the store tidy up when nobody waits, and before it ends")
    func tidies() throws {
        let work = Work()
        let peer = try SessionPeer(work) { _ in }
        // Nothing is said: it is done all the same.
        while work.left > 0 { usleep(1000) }
        peer.send("a LOGOUT\r\n")
        _ = try peer.readAll()
        #expect(peer.waitForEnd())

        let more = Work()
        let hasty = try SessionPeer(more) { _ in }
        hasty.send("a LOGOUT\r\n")
        _ = try hasty.readAll()
        #expect(hasty.waitForEnd())
        #expect(more.left == 0)
    }
}

/// The client's end of a session in a thread of its own, which a test may configure.
private final class SessionPeer {
    private let client: Int32
    private let stop: (read: Int32, write: Int32)
    private let ended = DispatchSemaphore(value: 0)
    private var received: [UInt8] = []

    init(_ work: Work = Work(), readAhead: String = "", _ configure: @Sendable (inout SessionSettings) -> Void) throws {
        var ends: [Int32] = [-1, -1], pipes: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        try #require(pipe(&pipes) == 0)
        client = ends[0]
        stop = (pipes[0], pipes[1])
        let server = ends[1], shutdown = stop.read, ended = ended
        var settings = SessionSettings()
        configure(&settings)
        let thread = Thread { [settings] in
            let session = Session(connection: Connection(descriptor: server, shutdown: shutdown), store: BusyStore(work), user: "fred",
                                  readAhead: Array(readAhead.utf8), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            session.settings = settings
            session.run()
            ended.signal()
        }
        thread.stackSize = 4 << 20
        thread.start()
    }

    deinit {
        close(client)
        _ = waitForEnd()
        close(stop.read)
        close(stop.write)
    }

    /// Whether the session ends within a time after which it must be taken for hung.
    func waitForEnd() -> Bool {
        guard ended.wait(timeout: .now() + 60) == .success else { return false }
        ended.signal()
        return true
    }

    func stopDaemon() { _ = write(stop.write, [0], 1) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func readLine() throws -> String {
        while true {
            if let end = received.firstRange(of: [13, 10]) {
                defer { received.removeSubrange(..<end.upperBound) }
                return String(decoding: received[..<end.lowerBound], as: UTF8.self)
            }
            try #require(receive(), "the session has ended")
        }
    }

    func readAll() throws -> String {
        while receive() {}
        return String(decoding: received, as: UTF8.self)
    }

    private func receive() -> Bool {
        var polled = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, 60_000) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(client, &buffer, buffer.count, 0)
        if count > 0 { received += buffer[..<count] }
        return count > 0
    }
}

/// Things that can wait: three to begin with.
private final class Work: Sendable {
    private let count = Atomic(3)
    var left: Int { count.load(ordering: .relaxed) }
    /// Whether there is more to do.
    func doSome() -> Bool {
        guard left > 0 else { return false }
        return count.subtract(1, ordering: .relaxed).newValue > 0
    }
}

/// A store with something to tidy up.
private final class BusyStore: MailStore {
    private let store = MemoryAccount().openStore()
    private let work: Work

    init(_ work: Work) { self.work = work }

    func tidy() throws(StoreError) -> Bool { work.doSome() }

    var separator: Character { store.separator }
    func mailboxes() throws(StoreError) -> [MailboxEntry] { try store.mailboxes() }
    func subscriptions() throws(StoreError) -> [MailboxName] { try store.subscriptions() }
    func subscribe(_ name: MailboxName) throws(StoreError) { try store.subscribe(name) }
    func unsubscribe(_ name: MailboxName) throws(StoreError) { try store.unsubscribe(name) }
    func exists(_ name: MailboxName) throws(StoreError) -> Bool { try store.exists(name) }
    func create(_ name: MailboxName, use: SpecialUse?) throws(StoreError) { try store.create(name, use: use) }
    func delete(_ name: MailboxName) throws(StoreError) { try store.delete(name) }
    func rename(_ name: MailboxName, to newName: MailboxName) throws(StoreError) { try store.rename(name, to: newName) }
    func status(_ name: MailboxName, wantsSize: Bool) throws(StoreError) -> MailboxStatus { try store.status(name, wantsSize: wantsSize) }
    func open(_ name: MailboxName, readOnly: Bool) throws(StoreError) -> any OpenMailbox { try store.open(name, readOnly: readOnly) }
    func beginAppend(to name: MailboxName) throws(StoreError) -> any AppendTransaction { try store.beginAppend(to: name) }
}
