import Foundation
import Glibc
import IMAPTypes
@testable import Maildir
import MailStore
import Testing

/// CREATE, DELETE and RENAME where something goes wrong.
@Suite struct FolderTests {
    /// Nothing can be written to `imapd.account` any more, as on a full disk.
    private func loseAccount(_ account: MaildirAccount) throws {
        try account.remove("imapd.account")
        try FileManager.default.createDirectory(at: account.folder().appendingPathComponent("imapd.account"),
                                                withIntermediateDirectories: false)
    }

    @Test func `The account holds few lines that have been superseded, as every session reads them all`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("a", use: nil)
        for _ in 0..<100 {
            try store.rename("a", to: "b")
            try store.rename("b", to: "a")
        }
        let text = try String(contentsOf: account.folder().appendingPathComponent("imapd.account"), encoding: .utf8)
        #expect(text.split(separator: "\n").count < 150)
        #expect(try account.openStore().names().contains("a"))
    }

    @Test func `DELETE makes room also where the account cannot be told`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("a", use: nil)
        try store.append("text\r\n", to: "a")
        try loseAccount(account)
        try store.delete("a")
        #expect(throws: StoreError.self) { try store.names() }
        try account.remove("imapd.account")
        #expect(try store.names() == ["INBOX"])
        let left = try FileManager.default.contentsOfDirectory(atPath: account.path)
        #expect(!left.contains { $0.hasPrefix("..imapd") }, "\(left)")
        #expect(account.log.all.contains { $0.hasPrefix("error: ") })
    }

    @Test func `RENAME of several mailboxes is done whole or not at all`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        for name in ["a", "a.b", "a.c"] as [MailboxName] { try store.create(name, use: nil) }
        try loseAccount(account)
        #expect(throws: StoreError.self) { try store.rename("a", to: "z") }
        try account.remove("imapd.account")
        #expect(try store.names() == ["INBOX", "a", "a.b", "a.c"])
        try store.rename("a", to: "z")
        #expect(try store.names() == ["INBOX", "z", "z.b", "z.c"])
    }

    /// It would have to tell which UIDVALIDITYs were given, and which UIDs.
    @Test func `An account that cannot be read is not taken for an empty one`() throws {
        let account = try MaildirAccount()
        let first = try account.openMaildir()
        // Beyond what the clock tells.
        for name in ["a", "b", "c", "d", "e"] as [MailboxName] { try first.create(name, use: name == "e" ? .sent : nil) }
        let last = try first.open("e", readOnly: true).uidValidity
        let file = account.folder().appendingPathComponent("imapd.account")
        let aside = account.folder().appendingPathComponent("aside")
        try FileManager.default.moveItem(at: file, to: aside)
        // Nobody, root included, can read a directory as a file.
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        let store = try account.openMaildir()
        #expect(throws: StoreError.self) { try store.create("f", use: nil) }
        #expect(throws: StoreError.self) { try store.mailboxes() }
        #expect(throws: StoreError.self) { try store.open("e", readOnly: false) }
        try account.remove("imapd.account")
        try FileManager.default.moveItem(at: aside, to: file)
        try store.create("g", use: nil)
        #expect(try store.open("g", readOnly: true).uidValidity.rawValue > last.rawValue)
        #expect(try store.mailboxes().first { $0.name == "e" }?.use == .sent)
    }

    @Test func `A directory with a line end in its name is no mailbox, and spoils no list`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("a", use: nil)
        for part in ["", "/cur", "/new", "/tmp"] {
            try FileManager.default.createDirectory(
                at: account.folder().appendingPathComponent(".a.b\nc" + part), withIntermediateDirectories: true)
        }
        try store.rename("a", to: "z")
        #expect(try store.names() == ["INBOX", "z"])
        #expect(try account.openMaildir().names() == ["INBOX", "z"])
        #expect(account.log.all == [])
    }
}
