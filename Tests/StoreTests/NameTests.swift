import Foundation
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import TestSupport
import Testing

@Suite struct NameTests {
    @Test(arguments: [
        ("INBOX", ".", "."), ("a", ".a", "."), ("a.b", ".a.b", "."), ("a/b", ".a.b", "/"), ("a.b", ".a&AC4-b", "/"),
        ("a/b", ".a&AC8-b", "."),
        ("Entwürfe", ".Entw&APw-rfe", "."), ("a&b", ".a&-b", "."), ("日本語", ".&ZeVnLIqe-", "."), ("📫", ".&2D3c6w-", "."),
        ("..", ".&AC4ALg-", "/"), ("INBOX.x", ".INBOX.x", "."), ("INBOX/x", ".INBOX.x", "/"), ("~peter/mail/台北/日本語",
         ".~peter.mail.&U,BTFw-.&ZeVnLIqe-", "/"),
    ])
    func `Names and folders`(_ name: String, _ directory: String, _ separator: Character) throws {
        let naming = FolderNaming(separator: separator)
        let folder = try naming.folder(MailboxName(name)!)
        #expect(String(decoding: folder.directory, as: UTF8.self) == directory)
        #expect(naming.name(folder)?.string == name)
    }

    @Test(arguments: [
        ("a..b", "."), (".a", "."), ("a.", "."), (".", "."), ("..", "."), ("a//b", "/"), ("/", "/"), ("/etc", "/"),
    ] as [(String, Character)])
    func `Names without a folder`(_ name: String, _ separator: Character) {
        #expect(throws: StoreError.self) { try FolderNaming(separator: separator).folder(MailboxName(name)!) }
    }

    @Test func `A name that is too long for the file system is refused`() {
        let naming = FolderNaming(separator: ".")
        #expect(throws: StoreError.self) { try naming.folder(MailboxName(String(repeating: "x", count: 255))!) }
        #expect(throws: Never.self) { try naming.folder(MailboxName(String(repeating: "x", count: 254))!) }
    }

    @Test func `Directories that are no folders`() {
        let long = "." + String(repeating: "x", count: 255)
        for name in ["", ".", "..", "...", "..x", "x", ".a/b", ".a\0", ".INBOX", ".inbox", long] {
            #expect(FolderName(directory: Array(name.utf8)) == nil, "\(name)")
        }
    }

    @Test func `Every name of a folder that we make is inside the Maildir`() throws {
        var random = SeededGenerator(1)
        let alphabet = Array("./\\&~-+,%* aZ\u{7E}é📫")
        for separator in [".", "/"] as [Character] {
            let naming = FolderNaming(separator: separator)
            for _ in 0..<5000 {
                let length = Int.random(in: 1...8, using: &random)
                let text = String((0..<length).map { _ in alphabet.randomElement(using: &random)! })
                guard let name = MailboxName(text), let folder = try? naming.folder(name), folder != .inbox else { continue }
                #expect(folder.directory.first == UInt8(ascii: ".") && folder.directory[1] != UInt8(ascii: "."))
                #expect(!folder.directory.contains(UInt8(ascii: "/")))
                #expect(naming.name(folder) == name, "\(text)")
            }
        }
    }

    @Test func `Folders that others named otherwise are shown as they are, and opened`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        for name in ["Entwürfe", "a&b", "&AGE-", "plain", ".hidden", "no-cur", "inbox.x"] {
            let parts = name == "no-cur" ? ["new"] : ["cur", "new", "tmp"]
            for part in parts {
                let url = account.folder(name).appendingPathComponent(part)
                try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            }
        }
        try Data().write(to: account.folder("file"))
        #expect(try store.names() == ["&AGE-", "Entwürfe", "INBOX", "INBOX.x", "a&b", "plain"])
        for name in try store.names() {
            let uid = try store.append("x\r\n", to: MailboxName(name)!)
            #expect(try store.open(MailboxName(name)!, readOnly: false).uids == [uid])
        }
        try store.rename("a&b", to: "c&d")
        #expect(account.exists("cur", in: "c&-d"))
        #expect(throws: StoreError.self) { try store.create("Entwürfe", use: nil) }
    }

    @Test func `A folder has what other programs expect`() throws {
        let account = try MaildirAccount()
        let store = try account.openStore()
        try store.create("x", use: nil)
        #expect(account.exists("maildirfolder", in: "x"))
        #expect(!account.exists("maildirfolder"))
        for part in ["cur", "new", "tmp"] {
            let path = account.folder("x").appendingPathComponent(part).path
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o700)
        }
        try store.append("a\r\nb\r\n", to: "x", [.seen, .answered])
        let name = account.names("cur", in: "x")[0]
        #expect(name.hasSuffix(",S=4,W=6:2,RS"))
        #expect(try Data(contentsOf: account.folder("x").appendingPathComponent("cur/" + name)) == Data("a\nb\n".utf8))
        #expect(account.names("tmp", in: "x") == [])
    }

    @Test(arguments: [
        ("~/Maildir", "anna", "/home/a", "/home/a/Maildir"), ("%h/m", "anna", "/home/a", "/home/a/m"),
        ("/mail/%u", "anna", nil, "/mail/anna"),
        ("/mail/%u/%%", "anna@example.org", nil, "/mail/anna@example.org/%"), ("~", "anna", "/home/a", "/home/a"),
        ("/mail/%u", "..", nil, nil), ("/mail/%u", ".", nil, nil), ("/mail/%u", "", nil, nil), ("/mail/%u", "a/b", nil, nil),
        ("/mail/%u", ".ssh", nil, nil), ("/mail/%u", "a\u{0}b", nil, nil), ("/mail/%u", "a\nb", nil, nil),
        ("~/Maildir", "anna", nil, nil),
        ("~/Maildir", "anna", "relative", nil), ("/mail/%x", "anna", nil, nil), ("/mail/%", "anna", nil, nil),
    ] as [(String, String, String?, String?)])
    func `Where a user's Maildir is`(_ pattern: String, _ user: String, _ home: String?, _ expected: String?) {
        let provider = MaildirProvider(path: pattern, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect((try? provider.expand(user: user, home: home)) == expected)
    }
}
