import ArgumentParser
import Daemon
import FoundationEssentials
import Glibc
import Transport

/// Which daemon is asked, and how its answer is shown.
struct DaemonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The daemon's control socket, instead of imapd's setting control-socket.", valueName: "path"))
    var socket: String?

    @OptionGroup var configuration: ConfigurationOptions

    @Flag(help: "JSON, as the daemon tells it.")
    var json = false

    /// What the daemon answers, in lines of JSON, the last one left out.
    func ask(_ request: String) throws(ControlFailure) -> [[UInt8]] {
        try DaemonSocket(path: path()).ask(request)
    }

    private func path() throws(ControlFailure) -> String {
        guard let path = try wishedPath() else {
            let file = configuration.config ?? Settings.defaultConfiguration
            throw ControlFailure("control-socket is none in \(file), so imapd answers nobody")
        }
        return path
    }

    /// Whether there is a socket.
    func hasSocket() throws(ControlFailure) -> Bool { try wishedPath().map { access($0, F_OK) == 0 } ?? false }

    private func wishedPath() throws(ControlFailure) -> String? {
        if let socket { return socket }
        if let file = configuration.config, access(file, R_OK) != 0 {
            throw ControlFailure("\(file): \(String(cString: strerror(errno)))")
        }
        return Settings.controlSocket(file: configuration.config)
    }
}

/// The socket at which a running imapd answers: one request, one answer.
struct DaemonSocket {
    let path: String

    /// An answer that takes longer does not come.
    private static let patience = timeval(tv_sec: 70, tv_usec: 0)

    func ask(_ request: String) throws(ControlFailure) -> [[UInt8]] {
        let descriptor = try connect()
        defer { close(descriptor) }
        try send(request + "\n", over: descriptor)
        let lines = try read(descriptor).split(separator: UInt8(ascii: "\n")).map(Array.init)
        guard let last = lines.last, let end: End = try? Self.decode(last), end.end != nil || end.error != nil else {
            // Whoever was asked to end may not come to say so.
            if request == "stop", !lines.isEmpty { return lines }
            throw ControlFailure("imapd ended the connection before it had answered: it is ending, or busy with other requests")
        }
        if let error = end.error {
            let problems = lines.dropLast().compactMap { (try? Self.decode($0) as Problem)?.problem }
            throw ControlFailure(problems.isEmpty ? error : "\(error):\n" + problems.map { "  " + $0 }.joined(separator: "\n"))
        }
        return lines.dropLast()
    }

    private struct End: Decodable {
        var end: Bool?
        var error: String?
    }

    private struct Problem: Decodable {
        var problem: String
    }

    static func decode<Value: Decodable>(_ line: [UInt8]) throws(ControlFailure) -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(line)) } catch {
            throw ControlFailure("imapd's answer is not understood: is it of the same version as this imapctl?")
        }
    }

    private func connect() throws(ControlFailure) -> Int32 {
        guard let address = UnixAddress(path) else { throw ControlFailure("\(path) is too long for the path of a socket") }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ControlFailure("cannot make a socket: \(String(cString: strerror(errno)))") }
        var patience = Self.patience
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard address.connect(descriptor) else {
            let error = errno
            close(descriptor)
            throw failure(error)
        }
        return descriptor
    }

    private func failure(_ error: Int32) -> ControlFailure {
        switch error {
        case ENOENT, ECONNREFUSED, ENOTSOCK:
            ControlFailure("no imapd is running that answers at \(path); a daemon without --fork has no control socket")
        case EACCES, EPERM: ControlFailure("only root may ask imapd at \(path): use sudo")
        default: ControlFailure("cannot connect to \(path): \(String(cString: strerror(error)))")
        }
    }

    private func send(_ text: String, over descriptor: Int32) throws(ControlFailure) {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw ControlFailure("imapd does not listen at \(path): \(String(cString: strerror(errno)))")
        }
    }

    private func read(_ descriptor: Int32) throws(ControlFailure) -> [UInt8] {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 { answer += buffer[..<count] }
            if count == 0 { return answer }
            if count < 0, errno == ECONNRESET { return answer }
            if count < 0, errno != EINTR { throw ControlFailure("imapd did not answer in time") }
        }
    }
}

/// For lines of JSON that the daemon wrote.
extension Output {
    /// As an array, which is a member of an object.
    static func array(_ name: String, _ lines: [[UInt8]]) {
        line("{\"\(name)\":[" + lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",") + "]}")
    }
}

/// Times for people.
enum Span {
    private static let units: [(size: Int, letter: String)] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")]

    /// With the two largest units: "3h20m".
    static func text(_ seconds: Int) -> String {
        guard let first = units.firstIndex(where: { seconds >= $0.size }) else { return "0s" }
        let whole = "\(seconds / units[first].size)\(units[first].letter)"
        guard first + 1 < units.count else { return whole }
        let rest = seconds % units[first].size / units[first + 1].size
        return rest > 0 ? "\(whole)\(rest)\(units[first + 1].letter)" : whole
    }
}
