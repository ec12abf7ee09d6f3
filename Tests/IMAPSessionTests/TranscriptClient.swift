import Dispatch
import Foundation
import Glibc
import IMAPSession
import Logging
import MailStore
import Transport

/// The client's end of a connection to a session that runs in a thread of its own.
final class TranscriptClient {
    /// A server that is silent for so long is taken for hung. Nothing waits for this in a test that passes.
    static let patience: Int32 = 60_000

    private var descriptor: Int32
    /// Signalled when the session's thread is done.
    private let ended = DispatchSemaphore(value: 0)
    private var received: [UInt8] = []
    /// Bytes per write, once the transcript asks for it.
    var chunkSize: Int?
    /// Whether the server may say UTF-8 outside of literals: once it was enabled (RFC 6855 §3, RFC 9051 §5.1).
    var allowsUTF8 = false

    init(_ account: any TestAccount, prefix: String) throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw TestFailure("socketpair: \(String(cString: strerror(errno)))")
        }
        descriptor = ends[0]
        let server = ends[1]
        let ended = ended
        let thread = Thread {
            defer { ended.signal() }
            var logger = Logger(label: "transcript")
            logger.logLevel = .error
            let connection = Connection(descriptor: server)
            guard let store = try? account.openStore() else { return }
            let session = Session(connection: connection, store: store, user: "fred", readAhead: [], logger: logger)
            session.settings.namespacePrefix = prefix
            session.run()
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { closeNow() }

    func closeNow() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// After the connection's end: the session must end too.
    func waitForEnd() throws {
        guard ended.wait(timeout: .now() + .milliseconds(Int(Self.patience))) == .success else {
            throw TestFailure("the session does not end")
        }
    }

    var isOpen: Bool { descriptor >= 0 }

    /// The server reads the end of the connection; what it still has to say can be read.
    func endInput() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// `paced`: waits until the server has taken all of it, so that what is sent next comes as a piece of its own.
    func send(_ bytes: [UInt8], paced: Bool) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(chunkSize ?? rest.count))
            var sent = 0
            while sent < piece.count {
                let count = piece[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                // A server that has closed hears no more; what it said before is still to be read.
                guard count > 0 else { return }
                sent += count
            }
            rest = rest.dropFirst(piece.count)
            if paced || chunkSize != nil { waitUntilTaken() }
        }
    }

    private func waitUntilTaken() {
        var waiting: Int32 = 0
        // Bytes that the other end has not read yet.
        while ioctl(descriptor, UInt(TIOCOUTQ), &waiting) == 0, waiting > 0, !hasInput { sched_yield() }
    }

    private var hasInput: Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0
    }

    /// The next response with its literals, without the line end; `nil` when the server has closed.
    func receive() throws -> [UInt8]? {
        var end = 0
        while true {
            guard let newline = try lineEnd(from: end) else {
                guard received.isEmpty else { throw MalformedResponse("the connection ends within a line: \(received.shown)") }
                return nil
            }
            let line = received[end..<newline]
            guard line.last == 0x0D else { throw MalformedResponse("a line that ends without CR: \(line.shown)") }
            guard !line.dropLast().contains(0x0D), !line.contains(0) else {
                throw MalformedResponse("CR or NUL within a line: \(line.shown)")
            }
            if !allowsUTF8, line.contains(where: { $0 >= 0x80 }) {
                throw MalformedResponse("8-bit text that was not asked for: \(line.shown)")
            }
            guard let size = Self.literalSize(line.dropLast()) else {
                let response = Array(received[..<(newline - 1)])
                received.removeFirst(newline + 1)
                return response
            }
            end = newline + 1
            while received.count < end + size {
                guard try fill() else { throw MalformedResponse("the connection ends within a literal of \(size) bytes") }
            }
            end += size
        }
    }

    /// Where the next LF is; `nil` when the server has closed before one.
    private func lineEnd(from start: Int) throws -> Int? {
        var start = start
        while true {
            if let at = received[start...].firstIndex(of: 0x0A) { return at }
            start = received.count
            guard try fill() else { return nil }
        }
    }

    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Self.patience) > 0 else { throw TestFailure("the server is silent") }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }

    /// `{12}` at the end of a line.
    private static func literalSize(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.last == UInt8(ascii: "}"), let brace = line.lastIndex(of: UInt8(ascii: "{")) else { return nil }
        let digits = line[(brace + 1)...].dropLast()
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(String(decoding: digits, as: UTF8.self))
    }
}

extension Collection<UInt8> {
    /// For a reader: as text, shortened.
    var shown: String {
        let text = String(decoding: prefix(2000), as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n      ")
            .replacingOccurrences(of: "\0", with: "\\x00")
        return count > 2000 ? text + "… (\(count) bytes)" : text
    }
}
