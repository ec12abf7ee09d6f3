import Glibc
import IMAPTypes
import MailStore

/// What `exportCourier` wrote.
public struct CourierExport: Sendable {
    public var mailboxes = 0
    public var messages = 0
    /// Folders that were renamed, as Courier from version 5 on has names in UTF-8: as they are called now.
    public var renamed: [String] = []
    /// Mailboxes that Courier will show under another name.
    public var strangeNames: [MailboxName] = []
}

/// The way back to Courier: in each mailbox `courierimapuiddb` and `courierimapkeywords`, and `courierimapsubscribed` for the
/// account. Courier must not run meanwhile, and deliveries are better held back.
extension MaildirStore {
    /// - Parameter utf8: whether folder names are in UTF-8, as Courier from version 5 on has them; else in modified UTF-7.
    public func exportCourier(utf8: Bool, progress: (MailboxName) -> Void = { _ in }) throws(StoreError) -> CourierExport {
        var result = CourierExport()
        if utf8 { try renameToUTF8(&result) }
        for entry in try mailboxes() {
            let mailbox = try openMailbox(entry.name, hasRows: true)
            try mailbox.locked { () throws(StoreError) in
                try mailbox.scanIfDue()
                try mailbox.exportCourier()
                result.mailboxes += 1
                result.messages += Int(mailbox.state.summary.messages)
            }
            progress(entry.name)
        }
        var list: [UInt8] = []
        for folder in try subscribedFolders() {
            // Below INBOX, where Courier shows everything.
            let name = utf8 ? Self.utf8Name(folder) ?? folder.line : folder.line
            list += folder == .inbox ? folder.line : Array("INBOX.".utf8) + name
            list.append(0x0A)
        }
        try maildir.replaceFile(ForeignSubscriptions.courierName, with: list)
        return result
    }

    /// The name of a folder without its leading dot, in UTF-8 throughout; `nil` if it is not in modified UTF-7.
    private static func utf8Name(_ folder: FolderName) -> [UInt8]? {
        let levels = folder.line.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        var name: [[UInt8]] = []
        for level in levels {
            guard let decoded = ModifiedUTF7.decode(level) else { return nil }
            name.append(Array(decoded.utf8))
        }
        return Array(name.joined(separator: [UInt8(ascii: ".")]))
    }

    /// Folders keep their mailbox names, ids, UIDVALIDITY and UIDs: it is the same name, written in another way.
    private func renameToUTF8(_ result: inout CourierExport) throws(StoreError) {
        for folder in try folders() {
            guard let name = naming.name(folder), let text = Self.utf8Name(folder), text != folder.line else { continue }
            guard let new = FolderName(line: text), naming.name(new) == name, maildir.isMissing(new.directory) else {
                // A dot or slash within a level, which only base64 hides.
                result.strangeNames.append(name)
                continue
            }
            release(folder)
            try account.locked { () throws(StoreError) in
                guard maildir.renameExclusively(folder.directory, to: maildir, new.directory), maildir.sync() else {
                    throw failure("renaming", folder.directory)
                }
                try account.renamed([(folder, new)])
            }
            result.renamed.append(printable(new.line))
        }
    }
}

extension Mailbox {
    /// Under the lock.
    fileprivate func exportCourier() throws(StoreError) {
        try nameByFlags()
        try writeCourierKeywords()
        try directory.root.replaceFile(Array(TakeOver.Server.courier.listName.utf8), with: courierList)
    }

    /// Courier has every message in cur/, with its flags in its name.
    private func nameByFlags() throws(StoreError) {
        try nameFiles { row in
            let old = table.info(row), info = FileName.info(old, with: table.flags(row))
            return info != old || table.place(row).contains(.new) ? info : nil
        }
    }

    private var courierList: [UInt8] {
        let next = min(state.summary.uidNext, ForeignList.largestUID + 1)
        var bytes = Array("1 \(state.log.header.uidValidity) \(next)\n".utf8)
        for row in 0..<table.count where !table.isGone(row) {
            bytes += Array("\(table.uid(row)) ".utf8)
            bytes += table.baseName(row)
            bytes.append(0x0A)
        }
        return bytes
    }

    /// One list; what single files said of messages before is in it, and they go.
    private func writeCourierKeywords() throws(StoreError) {
        let name = ForeignKeywords.courierName
        if directory.root.status(name) == nil { _ = directory.root.makeDirectory(name) }
        guard let keywords = directory.root.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else {
            throw failure("opening", name)
        }
        var used = KeywordSet()
        for row in 0..<table.count where !table.isGone(row) { for index in table.keywords(row) { used[index] = true } }
        let indexes = used.filter { $0 < state.keywords.count }
        var bytes: [UInt8] = []
        var numbers: [Int: Int] = [:]
        for (number, index) in indexes.enumerated() {
            numbers[index] = number
            bytes += Array("\(state.keywords[index].name)\n".utf8)
        }
        bytes.append(0x0A)
        for row in 0..<table.count where !table.isGone(row) && !table.keywords(row).isEmpty {
            bytes += table.baseName(row)
            bytes += Array((":" + table.keywords(row).compactMap { numbers[$0] }.map(String.init).joined(separator: " ")).utf8)
            bytes.append(0x0A)
        }
        try keywords.replaceFile(Array(":list".utf8), with: bytes)
        var updates: [[UInt8]] = []
        _ = forEachName(in: keywords, hidden: true) { file, _ in
            if ForeignKeywords.update(file) != nil, !file.elementsEqual(".".utf8), !file.elementsEqual("..".utf8) {
                updates.append(Array(file))
            }
        }
        for file in updates { _ = keywords.unlink(file) }
    }
}
