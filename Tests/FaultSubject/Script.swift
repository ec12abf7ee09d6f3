import CFaults
import Glibc
import IMAPTypes
import MailStore
import Maildir

/// Everything that a session can do to a Maildir, once, and always in the same way.
final class Script: Steps {
    /// What the script finds. Nothing goes wrong here.
    func prepare() throws {
        let store = try openStore()
        note("+box\tinbox\tINBOX")
        for (box, name) in [("work", "Work"), ("doomed", "Doomed"), ("parent", "Parent"), ("child", "Parent.Child")] {
            try create(store, box, name)
        }
        // Where the messages of INBOX go in the end.
        note("?box\tarchive\tArchive")
        for index in 1...9 { try append(store, "inbox", ["old-\(index)"], index % 2 == 0 ? .seen : [], []) }
        for index in 1...3 { try append(store, "work", ["work-\(index)"], [], index == 1 ? ["project"] : []) }
        try append(store, "doomed", ["doomed-1"], [], [])
        try append(store, "child", ["child-1"], .flagged, ["kept"])
        for box in ["inbox", "work", "doomed", "parent", "child"] { _ = try open(store, box) }
        // So much that the next changes make an index due.
        let inbox = try open(store, "inbox"), keyword = FlagSet(keywords: [Keyword("often")!])
        for _ in 0..<240 {
            _ = try inbox.store([1, 3].map { UID($0)! }, FlagChange(.add, keyword), unchangedSince: nil)
            _ = try inbox.store([1, 3].map { UID($0)! }, FlagChange(.remove, keyword), unchangedSince: nil)
        }
        try subscribe(store, "Work", true)
        for index in 1...2 { try deliver("inbox", "delivered-\(index)", name: "100\(index).M1P1.host") }
    }

    func run() {
        var store: MaildirStore!, inbox: (any OpenMailbox)?, other: (any OpenMailbox)?, otherStore: MaildirStore?
        step("open") { store = try openStore() }
        if store == nil { return }
        step("select") { inbox = try open(store, "inbox") }
        step("watch") { _ = try inbox?.changeDescriptor() }
        step("recent") { _ = try inbox?.claimRecent() }
        step("append") { try append(store, "inbox", ["append-1"], .flagged, ["new"]) }
        step("append a large one") { try append(store, "inbox", ["large-1"], [], []) }
        step("multiappend") { try append(store, "work", ["multi-1", "multi-2", "multi-3"], .seen, []) }
        step("multiappend of many") { try append(store, "work", (1...9).map { "many-\($0)" }, [], []) }
        step("store") { try setFlags(inbox, "inbox", ["old-1", "old-2", "old-4", "append-1"], .add, .answered, ["new", "other"]) }
        step("copy") { try copy(inbox, "inbox", ["old-1", "old-3"], to: "work") }
        step("open another session") {
            otherStore = try openStore()
            other = try otherStore.map { try open($0, "inbox") }
        }
        step("move") { try move(inbox, "inbox", ["old-2", "old-5", "append-1"], to: "work") }
        step("expunge") { try expunge(inbox, "inbox", ["old-6", "old-7"]) }
        step("refresh the other") {
            if let other { other.forget(try other.refresh().expunged) }
        }
        step("keep") { keepPieces(inbox) }
        step("tidy") { while try store.tidy() {} }
        step("end the other") {
            other = nil
            while try otherStore?.tidy() == true {}
            otherStore = nil
        }
        step("expunge alone") { try expunge(inbox, "inbox", ["old-8"]) }
        step("expunge and keep") {
            let keeping = try openStore(expungeDelay: 86_400)
            try expunge(try open(keeping, "inbox"), "inbox", ["old-9"])
        }
        step("undelete") {
            let keeping = try openStore(expungeDelay: 86_400)
            try undelete(keeping, try keeping.expunged(from: .inbox).map { ($0, "old-9") }, from: "inbox", to: "work")
        }
        step("create") { try create(store, "new", "New", use: .archive) }
        step("append to the new one") { try append(store, "new", ["new-1"], .draft, ["unfinished"]) }
        step("subscribe") { try subscribe(store, "New", true) }
        step("rename") { try rename(store, [("new", "New", "Renamed")]) }
        step("append to the renamed one") { try append(store, "new", ["new-2"], [], []) }
        step("rename with a child") {
            try rename(store, [("parent", "Parent", "Elders"), ("child", "Parent.Child", "Elders.Child")])
        }
        step("delete") { try delete(store, "doomed") }
        step("unsubscribe") { try subscribe(store, "Work", false) }
        step("import") { try bring(store, "child", ["import-1", "import-2"], .seen, ["kept"]) }
        step("a delivery") {
            try deliver("inbox", "delivered-3", name: "1003.M1P1.host")
            if let inbox {
                inbox.forget(try inbox.refresh().expunged)
                try look(inbox, "inbox")
            }
        }
        step("store again") { try setFlags(inbox, "inbox", ["delivered-1", "old-4"], .replace, .seen, []) }
        step("status") { _ = try store.status(MailboxName("Work")!, wantsSize: true) }
        step("tidy again") { while try store.tidy() {} }
        step("close") { inbox = nil }
        step("rename INBOX") { try renameInbox(store, to: "archive", "Archive") }
        step("tidy at the end") { while try store.tidy() {} }
    }
}
