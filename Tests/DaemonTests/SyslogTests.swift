import Foundation
import Glibc
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Daemon

@Suite struct SyslogTests {
    /// A syslog daemon's socket.
    private struct Daemon: ~Copyable {
        let descriptor: Int32

        init(_ path: String) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let status = withUnsafeBytes(of: &address) {
                bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
            try #require(status == 0)
        }

        deinit { close(descriptor) }

        /// Waits until one fits.
        func receive(where fits: (String) -> Bool) -> String? {
            let deadline = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < deadline {
                var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&polled, 1, 30_000) > 0 else { return nil }
                let line = receive()
                if fits(line) { return line }
            }
            return nil
        }

        func receive() -> String {
            var bytes = [UInt8](repeating: 0, count: 10_000)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }
    }

    @Test("lines are what syslog(3) would send: facility mail, and the level's severity", arguments: [
        (Logger.Level.critical, 18), (.error, 19), (.warning, 20), (.notice, 21), (.info, 22), (.debug, 23),
    ])
    func format(level: Logger.Level, priority: Int) throws {
        let files = try TemporaryDirectory()
        let daemon = try Daemon(files.path("log"))
        let sink = try #require(SyslogSink(path: files.path("log")))
        sink.write(LogRecord(level, "login", ["user": "ada"]))
        let line = daemon.receive()
        #expect(line.wholeMatch(of: /<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d imapd\[\d+\]: login user=ada/)?.1 == "\(priority)", "\(line)")
    }

    @Test func restartedDaemonIsFoundAgain() throws {
        let files = try TemporaryDirectory()
        let first = try Daemon(files.path("log"))
        let sink = try #require(SyslogSink(path: files.path("log")))
        let number = sink.socket.descriptor
        sink.write(LogRecord(.info, "one", [:]))
        #expect(first.receive().hasSuffix(": one"))
        unlink(files.path("log"))
        _ = consume first

        sink.write(LogRecord(.info, "nobody hears this, and nothing fails", [:]))
        let second = try Daemon(files.path("log"))
        sink.write(LogRecord(.info, "two", [:]))
        #expect(second.receive().hasSuffix(": two"))
        #expect(sink.socket.descriptor == number, "those who close all others keep this one")
    }

    @Test("a daemon that takes nothing any more holds nobody up, and what was lost is told when it does")
    func hungDaemon() async throws {
        let files = try TemporaryDirectory()
        let daemon = try Daemon(files.path("log"))
        let sink = try #require(SyslogSink(path: files.path("log")))
        // More than any kernel keeps for it.
        let count = 5000, done = Mutex(false)
        Thread.detachNewThread {
            for number in 0..<count { sink.write(LogRecord(.info, "line \(number)", [:])) }
            done.withLock { $0 = true }
        }
        try await eventually("all is written") { done.withLock { $0 } }
        var taken = 0
        while !daemon.receive().isEmpty { taken += 1 }
        #expect(taken < count)
        sink.write(LogRecord(.info, "again", [:]))
        #expect(daemon.receive().hasSuffix(": again"))
        #expect(daemon.receive().hasSuffix(": events lost count=\(count - taken)"))
        sink.write(LogRecord(.info, "and again", [:]))
        #expect(daemon.receive().hasSuffix(": and again"))
        #expect(daemon.receive().isEmpty)
    }

    @Test func journal() throws {
        let files = try TemporaryDirectory()
        let daemon = try Daemon(files.path("socket"))
        let sink = try #require(JournalSink(path: files.path("socket"), facility: .auth))
        sink.write(LogRecord(.notice, "login failed", ["user": "ada"]))
        #expect(daemon.receive() == """
            MESSAGE=login failed user=ada
            PRIORITY=5
            SYSLOG_FACILITY=4
            SYSLOG_IDENTIFIER=imapd
            EVENT=login failed
            USER=ada

            """)
        #expect(JournalSink(path: files.path("none")) == nil)
    }

    @Test func json() throws {
        let files = try TemporaryDirectory()
        let daemon = try Daemon(files.path("log"))
        let sink = try #require(SyslogSink(path: files.path("log"), format: .json))
        sink.write(LogRecord(.info, "login", ["user": "ada"]))
        #expect(daemon.receive().contains(#/imapd\[\d+\]: \{"time":"[^"]+Z","level":"info","pid":\d+,"event":"login","user":"ada"\}$/#))
    }

    @Test func nobodyListens() throws {
        #expect(SyslogSink(path: try TemporaryDirectory().path("log")) == nil)
        #expect(SyslogSink(path: "/" + String(repeating: "x", count: 200)) == nil)
    }

    @Test("what PAM's modules log is imapd's, whatever ps(1) shows", .enabled(if: hasNameSpaces, needsNameSpaces))
    func programName() async throws {
        let files = try TemporaryDirectory()
        let daemon = try Daemon(files.path("log"))
        // A /dev of its own, with somebody who listens at /dev/log.
        let script = """
            set -e; cd "$1"; mkdir dev; mount -t tmpfs none dev
            for name in null zero urandom random; do touch dev/$name; mount --bind /dev/$name dev/$name; done
            ln -s "$1/log" dev/log; mount --move dev /dev; shift; exec "$@"
            """
        let forked = try await ForkedDaemon(
            ["--allow-plaintext-login"], launcher: ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh", files.path("")])
        let client = try forked.client()
        #expect(try forked.logIn(client, password: "wrong").contains(" NO "))
        let line = daemon.receive { $0.contains("pam_unix(") }
        #expect(line?.contains(#/ imapd(\[\d+\])?: pam_/#) == true, "\(line ?? "nothing")")
        #expect(await forked.daemon.stop() == 0)
    }
}
