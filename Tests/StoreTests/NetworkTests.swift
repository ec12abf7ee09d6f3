import Foundation
import Glibc
import IMAPTypes
import Logging
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// A Maildir on a file system that others change too, of which inotify(7) tells nothing.
@Suite struct NetworkTests {
    private func waits(_ descriptor: Int32, atMost milliseconds: Int32 = 60_000) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, milliseconds) == 1
    }

    @Test func `A watcher is readable from time to time, and at once when something happens`() throws {
        let account = try MaildirAccount()
        let a = try #require(try account.openMaildir().open(.inbox, readOnly: false) as? OpenMaildir)
        let directory = a.mailbox.directory
        let often = try Watcher(directory, .inbox, maildir: account.path, lookPeriod: 1, logger: account.logger)
        #expect(waits(often.descriptor))
        often.drain()
        let seldom = try Watcher(directory, .inbox, maildir: account.path, lookPeriod: 10_000, logger: account.logger)
        #expect(!waits(seldom.descriptor, atMost: 0))
        try account.deliver("one", "x\r\n")
        #expect(waits(seldom.descriptor))
        seldom.drain()
        #expect(!waits(seldom.descriptor, atMost: 0))
        // Here nobody else changes anything.
        #expect(Watcher.lookPeriod(directory, wished: 15) == 0)
    }

    /// The same directory twice, as a host and its server see it.
    private final class Export {
        let directory: TemporaryDirectory
        let server: String
        let mount: String

        init() async throws {
            directory = try TemporaryDirectory()
            server = directory.path("server")
            mount = directory.path("mount")
            for path in [server, mount] { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
            let bindfs = try Program("bindfs", package: "bindfs")
            // It stays, and would keep open what Foundation looks at to see that a program has ended.
            let outcome = try await Program("bash", package: "bash").run(
                ["-c", "for n in {3..255}; do eval \"exec $n>&-\"; done; exec \"$@\"", "bash", bindfs.path, server, mount])
            try #require(outcome.status == 0, "\(outcome)")
        }

        deinit { umount2(mount, 2) }
    }

    @Test(.enabled(if: hasNameSpaces && access("/dev/fuse", R_OK | W_OK) == 0, "needs FUSE, and root that may mount"))
    func `What is delivered on the server is found by a session that waits`() async throws {
        let export = try await Export()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try MaildirStore(path: export.mount + "/Maildir", networkPoll: 1, logger: logger)
        let a = try store.open(.inbox, readOnly: false)
        let descriptor = try a.changeDescriptor()
        #expect(try a.refresh().isEmpty)
        try Data("Subject: from afar\r\n\r\nx\r\n".utf8).write(to: URL(fileURLWithPath: export.server + "/Maildir/new/1.one.afar"))
        let deadline = ContinuousClock.now + .seconds(60)
        var added: [UID] = []
        while added.isEmpty, ContinuousClock.now < deadline {
            #expect(waits(descriptor))
            added = try a.refresh().added
        }
        #expect(added == [1])
        // What happens here is told without a wait, and by nothing but inotify.
        let other = try MaildirStore(path: export.mount + "/Maildir", networkPoll: 86_400, logger: logger)
        let b = try other.open(.inbox, readOnly: false)
        let news = try b.changeDescriptor()
        _ = try b.refresh()
        #expect(!waits(news, atMost: 0))
        try store.append("Subject: from here\r\n\r\nx\r\n")
        #expect(waits(news))
        #expect(try b.refresh().added == [2])
    }
}
