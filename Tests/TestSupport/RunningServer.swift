import Foundation
import Glibc

/// A server of the machine's, other than ours, that a test has started on a port of its own.
public final class RunningServer: Sendable {
    public let port: Int
    private let child: Child
    private let log: String

    /// - Parameter arguments: may use the port, which nobody has at the moment.
    public init(_ program: Program, in directory: URL, _ arguments: (_ port: Int) throws -> [String]) async throws {
        port = try Self.freePort()
        log = directory.appendingPathComponent("server.log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        child = try Child(program.path, arguments(port), environment: [:], directory: directory, input: .nullDevice,
                          output: output, errors: output)
        for _ in 0..<6000 {
            if (try? MailClient(port: port)) != nil { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Program.Missing(description: "\(program.path) does not listen:\n\(try String(contentsOfFile: log, encoding: .utf8))")
    }

    deinit {
        child.send(SIGTERM)
    }

    /// One that nobody listens on at the moment.
    public static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
        }
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
