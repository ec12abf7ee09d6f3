import CLinux
import Glibc
import Privilege
import Transport

/// The process that answers one request, of an administrator or of whoever collects metrics. It is the listener as that was
/// when it was asked, so that the listener itself neither reads what others write, nor waits for anybody who is slow to read.
///
/// Each line gives something up.
func runAnswerer(
    _ kind: Door.Kind, client: Int32, line: Line, _ census: Census, _ household: Household
) -> Never {
    ProcessTitle.set("answerer")
    household.tls?.wipe()                       // the private key
    signal(SIGTERM, SIG_IGN)                    // which is for the listener
    signal(SIGINT, SIG_IGN)
    must(fchdir(household.emptyDirectory.descriptor), "fchdir")
    must(chroot("."), "chroot")                 // the file system
    must(chdir("/"), "chdir")
    becomeForGood(household.gateAccount)        // root
    let census = census.withReports             // what sessions tell, while there are descriptors
    keepOnly([client, line.descriptor])         // every other descriptor
    limit(RLIMIT_NOFILE, to: 2)
    limit(__RLIMIT_NPROC, to: 0)
    limit(RLIMIT_FSIZE, to: 0)
    limit(RLIMIT_CPU, to: 30)                   // seconds
    alarm(60)                                   // seconds, whatever the client does
    household.sandbox.confineGate()             // every system call but those listed
    let connection = Connection(descriptor: 0)
    let line = Line(descriptor: 1)
    switch kind {
    case .control: ControlAnswerer(connection: connection, line: line, census: census).run()
    case .metrics: MetricsAnswerer(connection: connection, census: census).run()
    }
    connection.finish()
    _exit(0)
}

/// Lines that go out in larger pieces.
struct AnswerBuffer: ~Copyable {
    private let connection: Connection
    private var bytes: [UInt8] = []

    init(_ connection: Connection) { self.connection = connection }

    /// Nobody who does not read is waited for: the process ends.
    mutating func write(_ more: [UInt8]) {
        bytes += more
        if bytes.count >= 1 << 16 { flush() }
    }

    mutating func flush() {
        do throws(ConnectionEnd) { try connection.send(bytes) } catch { _exit(0) }
        bytes.removeAll(keepingCapacity: true)
    }
}

/// Talks with imapctl.
struct ControlAnswerer {
    let connection: Connection
    let line: Line
    let census: Census

    /// How long a request may take to come.
    private static let patience: Duration = .seconds(10)

    func run() {
        connection.sendTimeout = .seconds(30)
        var answer = AnswerBuffer(connection)
        do throws(ControlRequest.Malformed) {
            let told = ControlAnswer(census)
            switch try readRequest() {
            case .who: told.who { answer.write($0) }
            case .stats: answer.write(told.stats(at: time(nil)))
            case .limits: told.limits { answer.write($0) }
            case .wish(let wish): try make(wish, &answer)
            }
            answer.write(ControlAnswer.end())
        } catch {
            answer.write(ControlAnswer.error(error.reason))
        }
        answer.flush()
    }

    private func readRequest() throws(ControlRequest.Malformed) -> ControlRequest {
        let deadline = Deadline(after: Self.patience)
        var line: [UInt8] = []
        while true {
            if let end = line.firstIndex(of: UInt8(ascii: "\n")) { return try ControlRequest(line[..<end]) }
            guard line.count < ControlRequest.longest else { throw ControlRequest.Malformed(reason: "the request is too long") }
            line += try receive(atMost: ControlRequest.longest - line.count, until: deadline)
        }
    }

    private func receive(atMost count: Int, until deadline: Deadline) throws(ControlRequest.Malformed) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: count)
        let received = buffer.withUnsafeMutableBytes { bytes in
            Result { () throws(ConnectionEnd) in try connection.receive(into: bytes, atMost: deadline.remaining) }
        }
        switch received {
        case .success(let count): return Array(buffer[..<count])
        case .failure(let end): throw ControlRequest.Malformed(reason: "the request did not come: \(end.reason)")
        }
    }

    /// Has the listener do it.
    private func make(_ wish: Wish, _ answer: inout AnswerBuffer) throws(ControlRequest.Malformed) {
        guard line.say(wish) else { throw ControlRequest.Malformed(reason: "imapd is ending") }
        switch hear(atMost: .seconds(45)) {
        case .message(.done(let count), _):
            var line = JSONLine()
            line.add("count", count)
            answer.write(line.line)
        case .message(.failed(let text), _):
            for problem in text.split(separator: "\n") {
                var line = JSONLine()
                line.add("problem", String(problem))
                answer.write(line.line)
            }
            throw ControlRequest.Malformed(reason: "nothing was changed")
        default: throw ControlRequest.Malformed(reason: "imapd did not answer in time")
        }
        guard wish == .stop else { return }
        // Sessions say goodbye now; the end of the line is that of the listener. A service manager may end us then.
        answer.flush()
        if case .end = hear(atMost: .seconds(45)) { return }
        throw ControlRequest.Malformed(reason: "imapd does not end")
    }

    private func hear(atMost time: Duration) -> Line.Heard<Grant> {
        let deadline = Deadline(after: time)
        while true {
            var polled = pollfd(fd: line.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&polled, 1, deadline.milliseconds) == 0 { return .nothing }
            switch line.hear(Grant.self) {
            case .nothing: continue
            case let heard: return heard
            }
        }
    }
}
