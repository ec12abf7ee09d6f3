import Foundation
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import MemoryStore
import Synchronization
import Testing
import TestSupport

/// The stores that everything in the protocol must hold for.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, maildir, maildirWithSlash

    var testDescription: String { rawValue }

    func makeAccount() throws -> any TestAccount {
        switch self {
        case .memory: MemoryTestAccount()
        case .maildir: try MaildirAccount(separator: ".")
        case .maildirWithSlash: try MaildirAccount(separator: "/")
        }
    }
}

/// One user's mail, from which every session opens a store of its own.
protocol TestAccount {
    func openStore() throws -> any MailStore
}

struct MemoryTestAccount: TestAccount {
    let account = MemoryAccount()
    func openStore() throws -> any MailStore { account.openStore() }
}

/// A Maildir in a directory that is removed with this object.
final class MaildirAccount: TestAccount, Sendable {
    let directory: TemporaryDirectory
    let separator: Character

    init(separator: Character = ".") throws {
        directory = try TemporaryDirectory()
        self.separator = separator
    }

    var path: String { directory.path("Maildir") }

    /// The store that has this logger keeps the directory.
    var logger: Logger { Logger(label: "test") { _ in LogCollector(directory: directory, log: log) } }
    let log = CollectedLog()

    func openStore() throws -> any MailStore { try openMaildir() }

    func openMaildir() throws -> MaildirStore {
        try MaildirStore(path: path, separator: separator, logger: logger)
    }

    /// The directory of a mailbox; "" is INBOX.
    func folder(_ name: String = "") -> URL {
        name.isEmpty ? URL(fileURLWithPath: path) : URL(fileURLWithPath: path).appendingPathComponent("." + name)
    }

    /// How many of this process's descriptors are for something in the Maildir.
    var openDescriptors: Int {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return descriptors.count {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(path) == true
        }
    }

    func names(_ part: String, in folder: String = "") -> [String] {
        let path = self.folder(folder).appendingPathComponent(part).path
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// As a delivery agent does: written in tmp/, linked into new/.
    @discardableResult
    func deliver(_ name: String, _ message: String, to folder: String = "", flags: String? = nil) throws -> String {
        let root = self.folder(folder)
        let temporary = root.appendingPathComponent("tmp/\(UUID().uuidString)")
        try Data(message.utf8).write(to: temporary)
        let target = flags.map { "cur/\(name):2,\($0)" } ?? "new/\(name)"
        try FileManager.default.moveItem(at: temporary, to: root.appendingPathComponent(target))
        return target
    }

    func rename(_ old: String, to new: String, in folder: String = "") throws {
        let root = self.folder(folder)
        try FileManager.default.moveItem(at: root.appendingPathComponent(old), to: root.appendingPathComponent(new))
    }

    func remove(_ name: String, in folder: String = "") throws {
        try FileManager.default.removeItem(at: self.folder(folder).appendingPathComponent(name))
    }

    func exists(_ name: String, in folder: String = "") -> Bool {
        FileManager.default.fileExists(atPath: self.folder(folder).appendingPathComponent(name).path)
    }
}

/// What a store has logged at notice or above.
final class CollectedLog: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func append(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct LogCollector: LogHandler {
    let directory: TemporaryDirectory
    let log: CollectedLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.append("\(event.level): \(event.message)") }
}

extension MailboxName: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self = MailboxName(value)! }
}

extension UID: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt32) { self = UID(value)! }
}

extension MailStore {
    /// A message with CRLF line ends.
    @discardableResult
    func append(
        _ message: String, to name: MailboxName = .inbox, _ flags: SystemFlags = [], keywords: [String] = [], date: Int64? = nil
    ) throws -> UID {
        let set = FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! }))
        return try append([Array(message.utf8)], to: name, set, date: date)[0]
    }

    func append(_ messages: [[UInt8]], to name: MailboxName, _ flags: FlagSet = FlagSet(), date: Int64? = nil) throws -> [UID] {
        let transaction = try beginAppend(to: name)
        for message in messages {
            try transaction.begin(flags: flags, date: date, size: UInt64(message.count))
            try message.withUnsafeBytes { try transaction.write($0) }
            try transaction.end()
        }
        return try transaction.commit().uids
    }

    func names() throws -> [String] { try mailboxes().map(\.name.string).sorted() }
}

extension OpenMailbox {
    func flags(_ uid: UID) -> SystemFlags? { metadata(uid)?.flags }

    func keywordNames(_ uid: UID) -> Set<String>? {
        metadata(uid).map { metadata in Set(keywords.indices.filter { metadata.keywords[$0] }.map { keywords[$0].name }) }
    }

    /// As it would be sent: every line end a CRLF.
    func text(_ uid: UID) throws -> String {
        let stored = try bytes(uid)
        var sent: [UInt8] = []
        for byte in stored {
            if byte == 0x0A, sent.last != 0x0D { sent.append(0x0D) }
            sent.append(byte)
        }
        return String(decoding: sent, as: UTF8.self)
    }

    func bytes(_ uid: UID) throws -> [UInt8] {
        let content = try content(uid)
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let offset = UInt64(result.count)
            let got = try buffer.withUnsafeMutableBytes { try content.read(at: offset, into: $0) }
            if got == 0 { break }
            result += buffer[..<got]
        }
        #expect(UInt64(result.count) == content.size)
        return result
    }

    @discardableResult
    func add(_ flags: SystemFlags, to uids: [UID]) throws -> StoreResult {
        try store(uids, FlagChange(.add, FlagSet(system: flags)), unchangedSince: nil)
    }
}
