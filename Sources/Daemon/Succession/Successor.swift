import CLinux
import Glibc
import SystemPackage
import Transport

/// The program that is to take the place of this one, in this process: the file that this one was started from, which may be
/// another version by now.
struct Successor {
    /// Without the program's name.
    private let arguments: [String]
    private let environment: [String]
    private let estate: Int32
    /// What it gets.
    private let descriptors: [Int32]
    private let file: FileIdentity

    /// Where this program's file is, or one that has replaced it.
    nonisolated(unsafe) private static var path = ""

    /// Once, at the start: the kernel tells the path of the file, which another one may have got later.
    static func notePath(_ argument: String?) {
        if let argument, argument.hasPrefix("/") {
            path = argument
            return
        }
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    init(_ estate: Estate, arguments: [String], environment: [String]) throws(Errno) {
        file = try FileIdentity(Self.path)
        descriptors = estate.descriptors
        self.estate = clinux_memory_file("imapd: estate")
        guard self.estate >= 0 else { throw Errno(rawValue: errno) }
        self.arguments = arguments + ["--succeed=\(self.estate)"]
        self.environment = environment
        let wire = estate.wire
        guard write(self.estate, wire, wire.count) == wire.count else {
            let error = Errno(rawValue: errno)
            close(self.estate)
            throw error
        }
    }

    func discard() { close(estate) }

    // MARK: - A trial

    /// How long it may take, and how much it may say.
    private static let patience: Duration = .seconds(15), longestComplaint = 16_000

    /// What keeps it from starting, in lines; none if it would start. It does in another process what it will have to do here:
    /// looks at everything, and binds what is not bound yet.
    func problems() -> [String] {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return ["no pipe can be made: \(Errno(rawValue: errno))"] }
        let child = fork()
        if child == 0 {
            dup2(ends[1], 2)
            keep([estate] + descriptors)
            execute(["--check-config"])
            _exit(127)
        }
        let error = Errno(rawValue: errno)
        close(ends[1])
        defer { close(ends[0]) }
        guard child > 0 else { return ["no process can be forked: \(error)"] }
        let deadline = Deadline(after: Self.patience)
        let lines = Self.lines(from: ends[0], until: deadline)
        guard let end = ProcessEnd(waitingFor: child, atMost: deadline.remaining ?? .zero) else {
            kill(child, SIGKILL)
            _ = ProcessEnd(waitingFor: child)
            return ["the new program does not say within \(Self.patience.components.seconds) seconds whether it would start"]
        }
        switch end {
        case .exited(0): return file.isUnchanged ? [] : ["\(Self.path) is being replaced"]
        case .exited(let status): return lines.isEmpty ? ["the new program ended with status \(status)"] : lines
        case .killed(let signal): return lines + ["the new program was ended by \(ProcessEnd.name(of: signal))"]
        }
    }

    private static func lines(from pipe: Int32, until deadline: Deadline) -> [String] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < longestComplaint {
            var polled = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
            let ready = poll(&polled, 1, deadline.milliseconds)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0, case let count = read(pipe, &buffer, buffer.count), count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        return bytes.split(separator: UInt8(ascii: "\n")).map { line in
            let text = String(decoding: line, as: UTF8.self)
            return text.hasPrefix("imapd: ") ? String(text.dropFirst(7)) : text
        }
    }

    // MARK: - The succession

    /// This process is the successor; only if that cannot be, this returns.
    func take() -> Errno {
        keep([estate] + descriptors)
        execute()
        let error = Errno(rawValue: errno)
        for descriptor in [estate] + descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return error
    }

    private func keep(_ descriptors: [Int32]) {
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, 0) }
    }

    private func execute(_ more: [String] = []) {
        var words: [UnsafeMutablePointer<CChar>?] = ([Self.path] + arguments + more).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        execve(Self.path, &words, &variables)
        let error = errno
        for string in words + variables { free(string) }
        errno = error
    }
}

/// A file as it is at one moment.
private struct FileIdentity {
    private let path: String
    private let status: stat

    init(_ path: String) throws(Errno) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Errno(rawValue: errno) }
        self.path = path
        self.status = status
    }

    var isUnchanged: Bool {
        var now = stat()
        return stat(path, &now) == 0 && now.st_dev == status.st_dev && now.st_ino == status.st_ino
            && now.st_size == status.st_size && now.st_mtim.tv_sec == status.st_mtim.tv_sec && now.st_mtim.tv_nsec == status.st_mtim.tv_nsec
    }
}
