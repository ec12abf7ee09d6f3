import Foundation
import Glibc
import IMAPSession
import Logging
import MailStore
import MemoryStore
import Testing
import Transport

/// The client's end of a session in a thread of its own, which a test may configure.
final class SessionPeer {
    private let client: Int32
    private let stop: (read: Int32, write: Int32)
    private let ended = DispatchSemaphore(value: 0)
    private var received: [UInt8] = []

    /// `store` is called in the session's thread.
    init(
        readAhead: String = "", record: SessionRecord = SessionRecord(),
        configure: @Sendable (inout SessionSettings) -> Void = { _ in },
        store: @escaping @Sendable () -> any MailStore = { MemoryAccount().openStore() }
    ) throws {
        var ends: [Int32] = [-1, -1], pipes: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        try #require(pipe(&pipes) == 0)
        client = ends[0]
        stop = (pipes[0], pipes[1])
        let server = ends[1], shutdown = stop.read, ended = ended
        var settings = SessionSettings()
        configure(&settings)
        let thread = Thread { [settings] in
            let session = Session(
                connection: Connection(descriptor: server, shutdown: shutdown), store: store(), user: "fred",
                readAhead: Array(readAhead.utf8), record: record,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
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

    func stopDaemon() { stopper() }

    /// `stopDaemon` for another thread.
    var stopper: @Sendable () -> Void {
        let end = stop.write
        return { _ = write(end, [0], 1) }
    }

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
