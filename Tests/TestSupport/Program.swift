import Foundation

/// A program of the machine that a test runs, found in the path.
public struct Program: Sendable {
    public let path: String

    /// - Parameter package: the Debian package that has it, for whoever must install it.
    public init(_ name: String, package: String) throws {
        // Servers are not in the path of ordinary users.
        let directories = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").components(separatedBy: ":")
            + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        guard let found = directories.map({ $0 + "/" + name }).first(where: FileManager.default.isExecutableFile) else {
            throw Missing(description: "\(name) is not installed: apt-get install \(package), or the test line of README.md")
        }
        path = found
    }

    /// `imapd` itself.
    public static var imapd: Program { Program(path: RunningDaemon.executable) }

    /// `imapctl`, beside it.
    public static var imapctl: Program {
        let imapd = URL(fileURLWithPath: RunningDaemon.executable)
        return Program(path: imapd.deletingLastPathComponent().appendingPathComponent("imapctl").path)
    }

    /// An executable that the build has put beside the tests.
    public static func beside(_ name: String) -> Program {
        Program(path: URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent(name).path)
    }

    private init(path: String) {
        self.path = path
    }

    public struct Missing: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) {
            self.description = description
        }
    }

    /// What a program has said, and how it ended.
    public struct Outcome: Sendable, CustomStringConvertible {
        public let command: [String]
        /// The exit status, or 128 + the number of the signal that ended it.
        public let status: Int32
        public let standardOutput: Data
        public let standardError: Data

        public var output: String { String(decoding: standardOutput, as: UTF8.self) }
        public var errors: String { String(decoding: standardError, as: UTF8.self) }

        public var description: String {
            "\(command.joined(separator: " "))\nended with \(status) and said:\n\(output.suffix(8000))\(errors.suffix(8000))"
        }
    }

    /// Runs the program to its end.
    ///
    /// Its output goes to files, so that it never waits for us.
    /// - Parameters:
    ///   - environment: beside PATH, HOME (`directory`) and LANG, which are all that it gets.
    ///   - deadline: when it is killed: a net for what hangs, not a measure of speed.
    public func run(_ arguments: [String], input: Data = Data(), environment: [String: String] = [:],
                    in directory: URL = FileManager.default.temporaryDirectory,
                    deadline: Duration = .seconds(300)) async throws -> Outcome {
        let files = try TemporaryDirectory()
        let (inputFile, outputFile, errorFile) = (files.path("input"), files.path("output"), files.path("errors"))
        try input.write(to: URL(fileURLWithPath: inputFile))
        for file in [outputFile, errorFile] { try Data().write(to: URL(fileURLWithPath: file)) }
        let handles = try [FileHandle(forReadingFrom: URL(fileURLWithPath: inputFile)),
                           FileHandle(forWritingTo: URL(fileURLWithPath: outputFile)),
                           FileHandle(forWritingTo: URL(fileURLWithPath: errorFile))]
        let child = try Child(path, arguments, environment: environment, directory: directory,
                              input: handles[0], output: handles[1], errors: handles[2])
        // The child has its own; Foundation would keep ours as long as this process lives.
        for handle in handles { try handle.close() }
        let status = await child.end(within: deadline)
        return Outcome(command: [path] + arguments, status: status,
                       standardOutput: try Data(contentsOf: URL(fileURLWithPath: outputFile)),
                       standardError: try Data(contentsOf: URL(fileURLWithPath: errorFile)))
    }
}
