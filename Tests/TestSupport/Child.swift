import Foundation
import Glibc

/// A process that a test has started: it inherits no descriptor but its standard ones, and little of the environment.
public final class Child: @unchecked Sendable {
    private let process = Process()

    // Guards what follows.
    private let lock = NSLock()
    private var status: Int32?
    private var waiting: [CheckedContinuation<Int32, Never>] = []

    public var pid: pid_t { process.processIdentifier }

    init(_ path: String, _ arguments: [String], environment: [String: String], directory: URL,
         input: FileHandle, output: FileHandle, errors: FileHandle) throws {
        var variables = ["LANG": "C.UTF-8", "HOME": directory.path]
        variables["PATH"] = ProcessInfo.processInfo.environment["PATH"]
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = variables.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        process.terminationHandler = { [weak self] in
            self?.ended($0.terminationReason == .exit ? $0.terminationStatus : 128 + $0.terminationStatus)
        }
        try process.run()
    }

    private func ended(_ status: Int32) {
        let waiting = lock.withLock {
            self.status = status
            defer { self.waiting = [] }
            return self.waiting
        }
        waiting.forEach { $0.resume(returning: status) }
    }

    /// Sends a signal, unless the child has ended.
    public func send(_ signal: Int32) {
        lock.withLock { if status == nil { _ = kill(pid, signal) } }
    }

    /// The exit status, or 128 + the signal's number. The child is killed when it has not ended `within` this time.
    public func end(within deadline: Duration) async -> Int32 {
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Int(deadline.components.seconds))) { [weak self] in
            self?.send(SIGKILL)
        }
        return await withCheckedContinuation { continuation in
            let ended = lock.withLock {
                if status == nil { waiting.append(continuation) }
                return status
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }
}
