import Foundation
import Glibc
import IMAPTypes
import MailStore
import MemoryStore

/// The stores that every transcript must hold for.
enum StoreKind: String, CaseIterable, Sendable {
    case memory, maildir
}

/// One user's mail in a store of some kind, for one run of a transcript.
protocol TestAccount: Sendable {
    func openStore() throws -> any MailStore
    /// As a delivery agent does.
    func deliver(_ message: [UInt8], to mailbox: MailboxName) throws
    /// As another program does: with the letters of Maildir, D F R S T.
    func setFlags(_ letters: String, subject: String, in mailbox: MailboxName) throws
    func remove(subject: String, in mailbox: MailboxName) throws
}

extension StoreKind {
    func makeAccount(separator: Character?) throws -> any TestAccount {
        switch self {
        case .memory: MemoryTestAccount(separator: separator ?? "/")
        case .maildir: try MaildirTestAccount(separator: separator ?? "/")
        }
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct MemoryTestAccount: TestAccount {
    private let account: MemoryAccount

    init(separator: Character) { account = MemoryAccount(separator: separator) }

    func openStore() throws -> any MailStore { account.openStore() }

    func deliver(_ message: [UInt8], to mailbox: MailboxName) throws {
        try account.openStore().append(message, to: mailbox, flags: FlagSet(), date: nil)
    }

    func setFlags(_ letters: String, subject: String, in mailbox: MailboxName) throws {
        let open = try account.openStore().open(mailbox, readOnly: false)
        let flags = SystemFlags(maildirLetters: letters)
        _ = try open.store([try open.uid(subject: subject)], FlagChange(.replace, FlagSet(system: flags)), unchangedSince: nil)
    }

    func remove(subject: String, in mailbox: MailboxName) throws {
        let open = try account.openStore().open(mailbox, readOnly: false)
        _ = try open.expunge([try open.uid(subject: subject)])
    }
}

extension SystemFlags {
    init(maildirLetters letters: String) {
        self = []
        for letter in letters {
            switch letter {
            case "D": insert(.draft)
            case "F": insert(.flagged)
            case "R": insert(.answered)
            case "S": insert(.seen)
            case "T": insert(.deleted)
            default: break
            }
        }
    }
}

extension OpenMailbox {
    /// The message with a line `Subject: …`.
    fileprivate func uid(subject: String) throws -> UID {
        for uid in uids {
            let content = try content(uid)
            var bytes = [UInt8](repeating: 0, count: Int(content.size))
            var at = 0
            while at < bytes.count {
                at += try bytes.withUnsafeMutableBytes { buffer in
                    try content.read(at: UInt64(at), into: UnsafeMutableRawBufferPointer(rebasing: buffer[at...]))
                }
            }
            if bytes.hasSubject(subject) { return uid }
        }
        throw TestFailure("no message has the subject \(subject)")
    }
}

extension [UInt8] {
    func hasSubject(_ subject: String) -> Bool {
        split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).contains { $0.elementsEqual("Subject: \(subject)".utf8) }
    }
}

// MARK: - Before, and beside, what is said

extension Transcript.StoreAction {
    func perform(in account: any TestAccount) throws {
        let store = try account.openStore()
        switch self {
        case .create(let mailbox, let use):
            try store.makeMailbox(try name(mailbox), use: use.map { use in
                guard let use = SpecialUse(rawValue: use) else { throw TestFailure("no special use \(use)") }
                return use
            })
        case .fill(let mailbox, let count):
            let mailbox = try name(mailbox)
            try store.makeMailbox(mailbox, use: nil)
            for number in stride(from: 1, through: count, by: 1) {
                let date = TranscriptMessage.sampleDate + Int64(number - 1) * 60
                try store.append(TranscriptMessage.sample(number), to: mailbox, flags: FlagSet(), date: date)
            }
        case .append(let mailbox, let message):
            let mailbox = try name(mailbox)
            try store.makeMailbox(mailbox, use: nil)
            try store.append(message.bytes, to: mailbox, flags: try message.flagSet, date: try message.dateSeconds)
        case .deliver(let mailbox, let message):
            try account.deliver(message.bytes, to: try name(mailbox))
        case .subscribe(let mailbox):
            try store.subscribe(try name(mailbox))
        case .setFlags(let mailbox, let subject, let letters):
            try account.setFlags(letters, subject: subject, in: try name(mailbox))
        case .remove(let mailbox, let subject):
            try account.remove(subject: subject, in: try name(mailbox))
        }
    }

    private func name(_ text: String) throws -> MailboxName {
        guard let name = MailboxName(text) else { throw TestFailure("no mailbox can be named \(text)") }
        return name
    }
}

extension MailStore {
    fileprivate func makeMailbox(_ name: MailboxName, use: SpecialUse?) throws {
        if try !exists(name) { try create(name, use: use) }
    }

    fileprivate func append(_ message: [UInt8], to mailbox: MailboxName, flags: FlagSet, date: Int64?) throws {
        let append = try beginAppend(to: mailbox)
        try append.begin(flags: flags, date: date, size: UInt64(message.count))
        try append.write(message)
        try append.end()
        _ = try append.commit()
    }
}

extension TranscriptMessage {
    /// 17-Jul-1996 02:44:25 -0700: INTERNALDATE of the first message of `mailbox INBOX: 3 messages`; each next is a minute later.
    static let sampleDate: Int64 = 837_596_665

    /// The messages of `mailbox INBOX: 3 messages`.
    static func sample(_ number: Int) -> [UInt8] {
        Array("""
            Date: Wed, 17 Jul 1996 02:23:25 -0700\r
            From: Sender \(number) <sender\(number)@example.org>\r
            To: fred@example.org\r
            Subject: Message \(number)\r
            Message-ID: <\(number)@example.org>\r
            \r
            Text \(number)\r

            """.utf8)
    }

    fileprivate var flagSet: FlagSet {
        get throws {
            var set = FlagSet()
            for flag in flags {
                switch flag.lowercased() {
                case "\\seen": set.system.insert(.seen)
                case "\\answered": set.system.insert(.answered)
                case "\\flagged": set.system.insert(.flagged)
                case "\\deleted": set.system.insert(.deleted)
                case "\\draft": set.system.insert(.draft)
                default:
                    guard let keyword = Keyword(flag) else { throw TestFailure("no flag \(flag)") }
                    set.keywords.insert(keyword)
                }
            }
            return set
        }
    }

    fileprivate var dateSeconds: Int64? {
        get throws {
            guard let date else { return nil }
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.dateFormat = "d-MMM-yyyy HH:mm:ss Z"
            guard let parsed = formatter.date(from: date.trimmingCharacters(in: .whitespaces)) else {
                throw TestFailure("no date: \(date)")
            }
            return Int64(parsed.timeIntervalSince1970)
        }
    }
}
