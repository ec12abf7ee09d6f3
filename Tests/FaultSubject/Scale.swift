import CFaults
import Glibc
import IMAPTypes
import Logging
import MailStore
import Maildir

/// Counts what commands cost in large mailboxes: system calls and bytes, which are the same each time, and milliseconds.
final class Scale {
    private let path: String
    private var base = 0

    init(_ directory: String) { path = directory + "/Maildir" }

    private func openStore() throws -> MaildirStore {
        try MaildirStore(path: path, logger: Logger(label: "scale") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Prints `<what> calls <n> opens <n> read <bytes> written <bytes> listed <bytes> memory <KiB> ms <time>`.
    private func measure(_ what: String, _ body: () throws -> Void) rethrows {
        var begin = timespec(), end = timespec()
        faults_arm(0, Int32(FAULTS_NONE.rawValue), 0)
        clock_gettime(CLOCK_MONOTONIC, &begin)
        try body()
        clock_gettime(CLOCK_MONOTONIC, &end)
        faults_disarm()
        func bytes(_ call: faults_call) -> Int { faults_bytes(Int32(call.rawValue)) }
        let microseconds = (end.tv_sec - begin.tv_sec) * 1_000_000 + (end.tv_nsec - begin.tv_nsec) / 1000
        print("\(what) calls \(faults_count()) opens \(faults_count_of(Int32(FAULTS_OPEN.rawValue)))",
              "read \(bytes(FAULTS_READ)) written \(bytes(FAULTS_WRITE)) listed \(bytes(FAULTS_LIST))",
              "memory \((privateMemory - base) / 1024)",
              "ms \(microseconds / 1000).\(String(microseconds % 1000 + 1000).dropFirst())")
    }

    /// Pages of this process that it has written to, in bytes. (Private_Dirty counts pages of files, too, on some file systems.)
    private var privateMemory: Int {
        let text = String(decoding: Disk.read("/proc/self/smaps_rollup"), as: UTF8.self)
        for line in text.split(separator: "\n") where line.hasPrefix("Anonymous:") {
            return (Int(line.split(separator: " ")[1]) ?? 0) * 1024
        }
        return 0
    }

    /// What was in doubt for a second is not any more. There is nothing to be awaited but the clock.
    private func wait() { usleep(1_100_000) }

    func messages(_ count: Int) throws {
        for part in ["", "/cur", "/new", "/tmp"] { mkdir(path + part, 0o700) }
        Disk.write(Texts.stored("one"), to: path + "/first")
        // As many names of one file as a file may have.
        var source = "/first"
        for index in 0..<count {
            let name = "/cur/\(1_000_000_000 + index).M1P1Q\(index).host,S=116,W=121:2,S"
            if index % 60_000 == 0 {
                source = "/first\(index)"
                Disk.write(Texts.stored("one"), to: path + source)
            }
            link(path + source, path + name)
        }
        wait()
        try measure("take-over") { _ = try openStore().open(.inbox, readOnly: false) }
        wait()
        // The first session after it settles what is in doubt.
        do {
            let store = try openStore()
            let open = try store.open(.inbox, readOnly: false)
            _ = try open.claimRecent()
            while try store.tidy() {}
        }
        base = privateMemory
        var store: MaildirStore!, open: (any OpenMailbox)!
        var sum = 0
        try measure("select") {
            store = try openStore()
            open = try store.open(.inbox, readOnly: false)
            _ = try open.claimRecent()
        }
        measure("flags") { for uid in open.uids { sum &+= Int(open.metadata(uid)?.flags.rawValue ?? 0) } }
        try measure("noop") { _ = try open.refresh() }
        let some = UID(UInt32(count / 2 + 1))!
        try measure("store") { _ = try open.store([some], FlagChange(.add, FlagSet(system: .flagged)), unchangedSince: nil) }
        try measure("rest") { while try store.tidy() {} }
        wait()
        try measure("noop-after-store") { _ = try open.refresh() }
        let message = Texts.bytes("appended")
        try measure("append") { try append(message, store) }
        try measure("noop-after-append") { _ = try open.refresh() }
        try measure("append-again") { try append(message, store) }
        try measure("rest-after-append") { while try store.tidy() {} }
        wait()
        try measure("noop-later") { _ = try open.refresh() }
        Disk.deliver("delivered", to: path, name: "2000000001.M1P1.host")
        try measure("noop-delivery") { _ = try open.refresh() }
        try measure("rest-after-delivery") {
            _ = try open.claimRecent()
            while try store.tidy() {}
        }
        wait()
        try measure("noop-after-delivery") { _ = try open.refresh() }
        try measure("expunge-first") { open.forget(try open.expunge([some])) }
        try measure("expunge") { open.forget(try open.expunge([UID(some.rawValue + 1)!])) }
        try measure("rest-after-expunge") { while try store.tidy() {} }
        wait()
        try measure("noop-after-expunge") { _ = try open.refresh() }
        try measure("status") { _ = try store.status(.inbox, wantsSize: false) }
        try measure("status-again") { _ = try store.status(.inbox, wantsSize: false) }
        try measure("close") {
            open = nil
            while try store.tidy() {}
        }
        print("sum \(sum)")
    }

    private func append(_ message: [UInt8], _ store: MaildirStore) throws {
        let transaction = try store.beginAppend(to: .inbox)
        try transaction.begin(flags: FlagSet(), date: nil, size: UInt64(message.count))
        try transaction.write(message)
        try transaction.end()
        _ = try transaction.commit()
    }

    func mailboxes(_ count: Int) throws {
        let first = try openStore()
        for index in 0..<count { try first.create(MailboxName("Box\(index)")!, use: nil) }
        wait()
        func list() throws -> Int {
            let store = try openStore()
            var messages = 0
            for entry in try store.mailboxes() { messages += try store.status(entry.name, wantsSize: true).messages }
            return messages
        }
        var found: [Int] = []
        try measure("list-first") { found.append(try list()) }
        wait()
        try measure("list-second") { found.append(try list()) }
        try measure("list") { found.append(try list()) }
        let transaction = try first.beginAppend(to: MailboxName("Box\(count / 2)")!)
        try transaction.begin(flags: FlagSet(), date: nil, size: 5)
        try transaction.write(Array("hello".utf8))
        try transaction.end()
        _ = try transaction.commit()
        Disk.deliver("delivered", to: path + "/.Box1", name: "1000.M1P1.host")
        wait()
        try measure("list-two-changed") { found.append(try list()) }
        wait()
        try measure("list-after") { found.append(try list()) }
        try measure("create") { try openStore().create(MailboxName("New")!, use: nil) }
        print("messages \(found.map(String.init).joined(separator: " "))")
    }
}
