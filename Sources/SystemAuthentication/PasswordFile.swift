import Authentication
import Glibc

/// Users and passwords in a file, one line each: see `PasswordLine`.
///
/// It is read anew for each login, line by line, so that a change counts at once and nobody holds what is not asked for.
public struct PasswordFile: Sendable {
    public let path: String

    public init(path: String) { self.path = path }

    /// The file cannot be read, or not be written.
    public struct Unreadable: Error, Equatable {
        public var reason: String

        public init(reason: String) { self.reason = reason }

        init(_ number: Int32) { reason = String(cString: strerror(number)) }
    }

    /// A line that is passed over.
    public struct Problem: Sendable, Equatable {
        /// From 1; `nil` for the file itself.
        public var line: Int?
        public var reason: String
    }

    /// What the file says of one user.
    public struct Entry: Sendable, Equatable {
        /// `nil` if there are app passwords only; then the account and its own password are the system's.
        public var user: PasswordLine?
        public var appPasswords: [PasswordLine] = []
        public var isEmpty: Bool { user == nil && appPasswords.isEmpty }
        /// The first password of the file, whoever has it: what to compute for somebody who is not there.
        public var firstPassword: StoredPassword?
    }

    /// All lines of one user. Of two that say the same thing, the first counts.
    public func entry(of user: String) throws(Unreadable) -> Entry {
        var entry = Entry()
        let name = Array(user.utf8)
        try forEachLine { _, bytes in
            let next = bytes.dropFirst(name.count).first
            let isTheirs = bytes.starts(with: name) && (next == UInt8(ascii: ":") || next == UInt8(ascii: "/"))
            guard isTheirs || entry.firstPassword == nil, let line = try? PasswordLine.parse(bytes) else { return }
            if entry.firstPassword == nil, line.password != .locked { entry.firstPassword = line.password }
            guard line.user == user else { return }
            if line.label == nil {
                if entry.user == nil { entry.user = line }
            } else if !entry.appPasswords.contains(where: { $0.label == line.label }) {
                entry.appPasswords.append(line)
            }
        }
        return entry
    }

    /// Everybody, and what is wrong.
    public func contents() throws(Unreadable) -> (lines: [PasswordLine], problems: [Problem]) {
        var lines: [PasswordLine] = []
        var problems: [Problem] = []
        var seen: Set<String> = []
        try forEachLine { number, bytes in
            do throws(PasswordLine.Malformed) {
                guard let line = try PasswordLine.parse(bytes) else { return }
                let name = line.user + (line.label.map { "/" + $0 } ?? "")
                if seen.insert(name).inserted {
                    lines.append(line)
                } else {
                    problems.append(Problem(line: number, reason: "\(name) is there already"))
                }
            } catch {
                problems.append(Problem(line: number, reason: error.reason))
            }
        }
        var information = stat()
        if stat(path, &information) == 0, information.st_mode & 0o007 != 0 {
            problems.append(Problem(line: nil, reason: "everybody may read or write it: chmod 600 \(path)"))
        }
        return (lines, problems)
    }

    private func forEachLine(_ body: (_ number: Int, _ line: ArraySlice<UInt8>) -> Void) throws(Unreadable) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable(errno) }
        defer { close(descriptor) }
        var held: [UInt8] = []
        var number = 1
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Unreadable(errno) }
            if count == 0 { break }
            held += buffer[..<count]
            var start = held.startIndex
            while let lineFeed = held[start...].firstIndex(of: UInt8(ascii: "\n")) {
                body(number, held[start..<lineFeed])
                number += 1
                start = lineFeed + 1
            }
            held.removeSubrange(..<start)
        }
        if !held.isEmpty { body(number, held[...]) }
    }

    // MARK: - Changes

    /// Puts `line` in place of the one with the same name and label, or at the end. All other lines stay as they are.
    public func set(_ line: PasswordLine) throws(Unreadable) {
        try rewrite(user: line.user, label: line.label, as: line.text)
    }

    /// Removes a user with all app passwords, or one app password. False if there is no such line.
    @discardableResult
    public func remove(user: String, label: String?) throws(Unreadable) -> Bool {
        try rewrite(user: user, label: label, as: nil)
    }

    /// The file itself, where `path` is a symbolic link: that stays one. A file that is not there yet will be where the name says.
    private func target() throws(Unreadable) -> String {
        var status = stat()
        guard lstat(path, &status) == 0 else { return path }
        guard let resolved = realpath(path, nil) else { throw Unreadable(errno) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// That a new name in the file's directory outlives a power cut.
    private static func syncDirectory(of path: String) throws(Unreadable) {
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Unreadable(errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw Unreadable(errno) }
    }

    /// A new file under the old name: whoever reads meanwhile reads the old one to its end.
    @discardableResult
    private func rewrite(user: String, label: String?, as replacement: String?) throws(Unreadable) -> Bool {
        let path = try target()
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw Unreadable(errno) }
        defer { close(lock) }

        var text: [UInt8] = []
        var found = false
        if access(path, F_OK) == 0 {
            try forEachLine { _, bytes in
                let line = try? PasswordLine.parse(bytes)
                let isTheirs = line.map { $0.user == user && ($0.label == label || label == nil && replacement == nil) } ?? false
                if !isTheirs {
                    text += bytes + [UInt8(ascii: "\n")]
                } else {
                    if !found, let replacement { text += Array((replacement + "\n").utf8) }
                    found = true
                }
            }
        }
        if let replacement, !found { text += Array((replacement + "\n").utf8) }
        guard found || replacement != nil else { return false }

        var information = stat()
        let isNew = stat(path, &information) != 0
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw Unreadable(errno) }
        var written = 0
        while written < text.count {
            let count = text.withUnsafeBytes { write(file, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            written += count
        }
        let isWhole = written == text.count
            && (isNew || fchown(file, information.st_uid, information.st_gid) == 0
                && fchmod(file, information.st_mode & 0o777) == 0)
            && fsync(file) == 0
        let error = errno
        close(file)
        guard isWhole, rename(temporary, path) == 0 else {
            let reason = isWhole ? errno : error
            unlink(temporary)
            throw Unreadable(reason)
        }
        try Self.syncDirectory(of: path)
        return found
    }
}
