import Foundation
import Glibc
import TestSupport
import Testing

@testable import Daemon

@Suite struct DoorTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test("the control socket is its owner's, and that for metrics anybody's who can get there")
    func modes() throws {
        let control = try Door(.control, path: directory.path("new/control"))
        let metrics = try Door(.metrics, path: directory.path("metrics"))
        #expect(mode(control.address) == 0o600 && mode(metrics.address) == 0o666)
        #expect(mode(directory.path("new")) == 0o755)
        #expect(control.accept() == nil)
    }

    @Test("what a daemon left that has crashed is replaced; what answers is not, nor what is no socket")
    func replacing() throws {
        let path = directory.path("control")
        var first: Door? = try Door(.control, path: path)
        #expect(throws: StartError.unavailable("cannot listen at \(path): somebody else does")) {
            try Door(.control, path: path)
        }
        #expect(first?.kind == .control)
        first = nil
        let second = try Door(.control, path: path)
        second.remove()
        #expect(mode(path) == 0)
        try "mail".write(toFile: path, atomically: false, encoding: .utf8)
        #expect(throws: StartError.self) { try Door(.control, path: path) }
        second.remove()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mail")
    }

    @Test("a path that does not fit")
    func tooLong() {
        #expect(throws: StartError.self) { try Door(.control, path: "/" + String(repeating: "x", count: 200)) }
    }

    @Test("who is at the other end")
    func user() throws {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        #expect(Door.user(of: ends[0]) == geteuid())
        ends.forEach { close($0) }
        #expect(Door.user(of: -1) == nil)
    }

    @Test(arguments: [
        ("9143", "localhost:9143"), ("127.0.0.1:9143", "127.0.0.1:9143"), ("[::1]:9143", "[::1]:9143"), ("/run/x", "/run/x"),
    ])
    func places(text: String, shown: String) throws {
        let kind = ValueKind<MetricsPlace>.metricsPlace
        #expect(kind.show(try kind.read(text)) == shown)
    }

    @Test(arguments: ["", "localhost", "x/y", "99999", "a b:1"])
    func noPlaces(text: String) {
        #expect(throws: Setting.BadValue.self) { try ValueKind<MetricsPlace>.metricsPlace.read(text) }
    }
}
