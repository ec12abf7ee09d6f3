import Foundation
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// A Maildir for imapctl to work on.
final class ControlAccount: Sendable {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("Maildir")
    }

    /// A Maildir that somebody else looks after.
    init(at path: String) throws {
        directory = try TemporaryDirectory()
        self.path = path
    }

    func store() throws -> MaildirStore {
        try MaildirStore(path: path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    @discardableResult
    func imapctl(_ arguments: String..., input: String = "") async throws -> Program.Outcome {
        try await Program.imapctl.run(arguments + ["--maildir", path], input: Data(input.utf8), in: directory.url)
    }

    /// What `check` finds, by kind.
    func check(_ options: String...) async throws -> (kinds: [String: Finding], outcome: Program.Outcome) {
        let outcome = try await Program.imapctl.run(["check", "--json"] + options + ["--maildir", path], in: directory.url)
        struct Report: Decodable { let findings: [Finding] }
        guard outcome.status < 2 else { throw Unexpected(outcome: outcome) }
        let report = try JSONDecoder().decode(Report.self, from: outcome.standardOutput)
        return (Dictionary(report.findings.map { ($0.kind, $0) }, uniquingKeysWith: { first, _ in first }), outcome)
    }

    struct Finding: Decodable {
        let kind: String
        let mailbox: String?
        let count: Int
        let examples: [String]
        let note: Bool
        let fixed: Bool?
    }

    struct Unexpected: Error { let outcome: Program.Outcome }

    // MARK: The disk

    func file(_ path: String) -> String { self.path + "/" + path }

    func write(_ text: String, to path: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: file(path))) }

    func makeDirectory(_ path: String) throws {
        try FileManager.default.createDirectory(atPath: file(path), withIntermediateDirectories: true)
    }

    func remove(_ paths: String...) throws { for path in paths { try FileManager.default.removeItem(atPath: file(path)) } }

    func names(_ path: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: file(path)).sorted() }

    /// Bytes somewhere in a file become others.
    func damage(_ path: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file(path)))
        for index in offset..<min(offset + 8, bytes.count) { bytes[index] ^= 0x55 }
        try bytes.write(to: URL(fileURLWithPath: file(path)))
    }

    /// Sets the time of a directory or file.
    func touch(_ path: String, _ seconds: Int) {
        let time = timespec(tv_sec: seconds, tv_nsec: 0)
        utimensat(AT_FDCWD, file(path), [time, time], 0)
    }

    /// Everything of every file: bytes, times, owner, mode, number.
    func snapshot() throws -> [String: String] {
        var found: [String: String] = [:]
        for name in try [""] + FileManager.default.subpathsOfDirectory(atPath: path) {
            var status = stat()
            guard lstat(file(name), &status) == 0 else { throw POSIXError(.ENOENT) }
            let isFile = status.st_mode & S_IFMT == S_IFREG
            let bytes = isFile ? (try? Data(contentsOf: URL(fileURLWithPath: file(name)))) ?? Data() : Data()
            found[name] = "\(status.st_ino) \(status.st_mode) \(status.st_uid) "
                + "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) "
                + "\(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec) \(bytes.base64EncodedString())"
        }
        return found
    }

    /// What a client knows: UIDVALIDITY, and of each message UID, flags, keywords, date, size and text.
    func view(_ name: MailboxName = .inbox) throws -> [String] {
        let mailbox = try store().open(name, readOnly: true)
        return try ["\(mailbox.uidValidity.rawValue)"] + mailbox.uids.map { uid in
            let data = try #require(mailbox.metadata(uid)), details = try mailbox.details(uid)
            let keywords = mailbox.keywords.indices.filter { data.keywords[$0] }.map { mailbox.keywords[$0].name }.sorted()
            return "\(uid.rawValue) \(data.flags.rawValue) \(keywords) \(details.internalDate) \(details.size) "
                + (try mailbox.text(uid))
        }
    }
}

extension OpenMailbox {
    /// As it is stored.
    func text(_ uid: UID) throws -> String {
        let content = try content(uid)
        var bytes = [UInt8](repeating: 0, count: Int(content.size))
        var at = 0
        while at < bytes.count {
            at += try bytes.withUnsafeMutableBytes { try content.read(at: UInt64(at), into: .init(rebasing: $0[at...])) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension MailStore {
    @discardableResult
    func append(
        _ text: String, to name: MailboxName = .inbox, _ flags: SystemFlags = [], _ keywords: [String] = [], date: Int64? = nil
    ) throws -> UID {
        let transaction = try beginAppend(to: name)
        let set = FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! }))
        try transaction.begin(flags: set, date: date, size: UInt64(text.utf8.count))
        try transaction.write(Array(text.utf8))
        try transaction.end()
        return try transaction.commit().uids[0]
    }
}

extension MailboxName: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self = MailboxName(value)! }
}

extension UID: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt32) { self = UID(value)! }
}
