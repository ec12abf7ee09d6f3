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

    @Test func `DELETE makes room also where the account cannot be told`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        try store.create("a", use: nil)
        try store.append("text\r\n", to: "a")
        try loseAccount(account)
        try store.delete("a")
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
        #expect(try store.names() == ["INBOX", "a", "a.b", "a.c"])
        try account.remove("imapd.account")
        try store.rename("a", to: "z")
        #expect(try store.names() == ["INBOX", "z", "z.b", "z.c"])
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
