import CLinux
import Glibc
import SystemPackage
import Transport

/// A socket at which the listener is asked how it is, rather than for mail.
final class Door {
    enum Kind: UInt8 {
        /// Root's: answers, and does what it is told.
        case control
        /// Anybody's who can connect: tells numbers.
        case metrics
    }

    let kind: Kind
    let descriptor: Int32
    /// For the log.
    let address: String
    /// As the settings name it.
    let place: String
    private let listener: Listener?
    /// Of a socket in the file system: where, and which it is.
    private let path: String?
    private let inode: ino_t

    init(_ kind: Kind, _ listener: Listener, place: String) {
        self.kind = kind
        self.place = place
        self.listener = listener
        descriptor = listener.descriptor
        address = "\(listener.address)"
        path = nil
        inode = 0
    }

    /// A socket in the file system. One that a daemon left that has crashed is replaced; one that answers is not.
    init(_ kind: Kind, path: String) throws(StartError) {
        guard let place = UnixAddress(path) else { throw .configuration("\(path) is too long for the path of a socket") }
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw .system("cannot make a socket: \(Errno(rawValue: errno))") }
        // The directory of the default one goes with /run.
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex { mkdir(String(path[..<slash]), 0o755) }
        // Nobody gets in before it is as it should be.
        let mask = umask(kind == .control ? 0o177 : 0o111)
        defer { umask(mask) }
        var isBound = place.bind(descriptor)
        if !isBound, errno == EADDRINUSE, !Self.answers(place), Self.isSocket(path) {
            unlink(path)
            isBound = place.bind(descriptor)
        }
        var status = stat()
        guard isBound, listen(descriptor, 16) == 0, lstat(path, &status) == 0 else {
            let reason = Errno(rawValue: errno)
            close(descriptor)
            throw .unavailable("cannot listen at \(path): \(reason == .addressInUse ? "somebody else does" : "\(reason)")")
        }
        self.kind = kind
        self.descriptor = descriptor
        self.path = path
        self.place = path
        address = path
        inode = status.st_ino
        listener = nil
    }

    /// One that a predecessor has made at `place`. `nil` if it does not listen any more.
    init?(_ kind: Kind, _ place: String, adopting descriptor: Int32) {
        guard let listener = Listener(adopting: descriptor, implicitTLS: { _ in false }) else { return nil }
        self.kind = kind
        self.place = place
        self.listener = listener
        self.descriptor = descriptor
        var status = stat()
        let isPath = place.hasPrefix("/")
        path = isPath ? place : nil
        address = isPath ? place : "\(listener.address)"
        inode = isPath && lstat(place, &status) == 0 ? status.st_ino : 0
    }

    deinit { if listener == nil { close(descriptor) } }

    /// Nobody is answered any more. A socket that another daemon has put in the place of ours stays.
    func remove() {
        var status = stat()
        guard let path, lstat(path, &status) == 0, status.st_ino == inode else { return }
        unlink(path)
    }

    /// Somebody who has come, if there is anybody; non-blocking.
    func accept() -> Int32? {
        let client = clinux_accept(descriptor)
        return client >= 0 ? client : nil
    }

    /// Who is at the other end of a connection in the file system: a user's ID.
    static func user(of client: Int32) -> uid_t? {
        // struct ucred, which Glibc's module hides: process, user, group.
        var credentials: (pid_t, uid_t, gid_t) = (0, .max, .max)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return credentials.1
    }

    private static func answers(_ place: UnixAddress) -> Bool {
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer {
            close(probe)
            errno = EADDRINUSE
        }
        return place.connect(probe)
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        defer { errno = EADDRINUSE }
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }
}

extension Settings {
    static let defaultControlSocket = "/run/imapd/control"

    /// Where the daemon is asked how it is. What was wished for and cannot be is an error; the default is worth a warning only,
    /// as mail is served without it.
    ///
    /// - Parameter open: some that are there already.
    func openDoors(reusing open: [Door], _ errors: inout [StartError], _ warnings: inout [String]) -> [Door] {
        guard fork else { return [] }
        var doors: [Door] = []
        func reuse(_ kind: Door.Kind, _ place: String) -> Bool {
            let present = open.filter { $0.kind == kind && $0.place == place }
            doors += present
            return !present.isEmpty
        }
        let control = controlSocket ?? Self.defaultControlSocket
        if control != "none", !reuse(.control, control) {
            do throws(StartError) {
                doors.append(try Door(.control, path: control))
            } catch {
                if controlSocket == nil {
                    warnings.append("imapctl cannot reach this daemon: \(error.line)")
                } else {
                    errors.append(self.error(in: "control-socket", error.line))
                }
            }
        }
        for place in metricsListen where !reuse(.metrics, ValueKind<MetricsPlace>.metricsPlace.show(place)) {
            switch place {
            case .path(let path):
                do throws(StartError) { doors.append(try Door(.metrics, path: path)) } catch {
                    errors.append(self.error(in: "metrics-listen", error.line))
                }
            case .address(let address):
                do throws(ListenError) {
                    let listeners = try Listener.listen(host: address.host, port: address.port ?? 0, implicitTLS: false)
                    doors += listeners.map { Door(.metrics, $0, place: ValueKind<MetricsPlace>.metricsPlace.show(place)) }
                } catch {
                    errors.append(self.error(in: "metrics-listen", "\(error)"))
                }
            }
        }
        return doors
    }
}
