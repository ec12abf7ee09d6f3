import Foundation
import Glibc

/// An `imapd` that a test has started, and what it has logged to standard error.
public final class RunningDaemon: @unchecked Sendable {
    public let child: Child
    private let lines = LogLines()

    /// The executable that the build has put beside the tests, or the one that the environment's `IMAPD` names.
    public static var executable: String {
        ProcessInfo.processInfo.environment["IMAPD"]
            ?? Program.beside("imapd").path
    }

    /// - Parameter launcher: a command that runs the program which is its last argument, with those that follow.
    public init(_ arguments: [String], environment: [String: String] = [:], launcher: [String] = []) throws {
        let pipe = Pipe()
        // One for all would be nobody's.
        let isControlled = arguments.contains("--control-socket") || !arguments.contains("--fork")
        let command = launcher + [Self.executable] + arguments + (isControlled ? [] : ["--control-socket", "none"])
        child = try Child(command[0], Array(command.dropFirst()), environment: environment, directory: URL(fileURLWithPath: "/"),
                          input: .nullDevice, output: .nullDevice, errors: pipe.fileHandleForWriting)
        try pipe.fileHandleForWriting.close()
        Thread.detachNewThread { [lines] in
            while case let bytes = pipe.fileHandleForReading.availableData, !bytes.isEmpty { lines.append(bytes) }
            lines.end()
        }
    }

    deinit {
        child.send(SIGTERM)
    }

    /// All that it has logged so far.
    public var log: String { lines.text }

    /// The first line, logged already or yet to come, that fits.
    /// - Throws: `Silent`, with the whole log, when the daemon has ended without such a line.
    public func line(where fits: @escaping @Sendable (Substring) -> Bool) async throws -> Substring {
        guard let line = await lines.first(where: fits) else { throw Silent(log: log) }
        return line
    }

    /// The port of the first listener, which with `--port 0` the kernel has chosen.
    public func port() async throws -> Int {
        let line = try await line { $0.contains("listening") }
        guard let port = line.firstMatch(of: /address=\S+:(\d+)/).flatMap({ Int($0.1) }) else { throw Silent(log: log) }
        return port
    }

    public struct Silent: Error, CustomStringConvertible {
        let log: String
        public var description: String { "imapd ended early, having logged:\n\(log)" }
    }

    /// Asks the daemon to end, and waits until it has.
    /// - Returns: its exit status, or 128 + the signal's number.
    @discardableResult
    public func stop() async -> Int32 {
        child.send(SIGTERM)
        return await child.end(within: .seconds(60))
    }
}

/// Lines as they come in, and those who wait for one.
private final class LogLines: @unchecked Sendable {
    private struct Waiter {
        let fits: @Sendable (Substring) -> Bool
        let continuation: CheckedContinuation<Substring?, Never>
    }

    private let lock = NSLock()
    private var bytes: [UInt8] = []
    private var complete: [Substring] = []
    private var ended = false
    private var waiters: [Waiter] = []

    var text: String { lock.withLock { complete.joined(separator: "\n") } }

    func append(_ new: Data) {
        lock.withLock {
            bytes += new
            while let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Substring(decoding: bytes[..<newline], as: UTF8.self)
                bytes.removeSubrange(...newline)
                complete.append(line)
                waiters.removeAll { waiter in
                    guard waiter.fits(line) else { return false }
                    waiter.continuation.resume(returning: line)
                    return true
                }
            }
        }
    }

    func end() {
        lock.withLock {
            ended = true
            waiters.forEach { $0.continuation.resume(returning: nil) }
            waiters = []
        }
    }

    func first(where fits: @escaping @Sendable (Substring) -> Bool) async -> Substring? {
        await withCheckedContinuation { continuation in
            lock.withLock {
                if let line = complete.first(where: fits) {
                    continuation.resume(returning: line)
                } else if ended {
                    continuation.resume(returning: nil)
                } else {
                    waiters.append(Waiter(fits: fits, continuation: continuation))
                }
            }
        }
    }
}
