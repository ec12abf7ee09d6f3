import CLinux
import Glibc
import Privilege
import SystemPackage

/// Moves `descriptors` to 0, 1, …, in their order, and closes every other one.
func keepOnly(_ descriptors: [Int32]) {
    // First out of the way of each other.
    let moved = descriptors.map { descriptor in
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, Int32(descriptors.count))
        if copy < 0 { die("F_DUPFD", Errno(rawValue: errno)) }
        return copy
    }
    for number in moved.indices where dup2(moved[number], Int32(number)) < 0 { die("dup2", Errno(rawValue: errno)) }
    must(clinux_close_range(UInt32(descriptors.count), .max), "close_range")
}

/// Closes every descriptor but these and the standard streams.
func closeAll(but descriptors: [Int32]) {
    var first: UInt32 = 3
    for kept in descriptors.sorted() where kept >= first {
        if UInt32(kept) > first { must(clinux_close_range(first, UInt32(kept) - 1), "close_range") }
        first = UInt32(kept) + 1
    }
    must(clinux_close_range(first, .max), "close_range")
}

/// Sets a limit, soft and hard; where the hard one is lower already, that.
func limit(_ resource: __rlimit_resource, to value: UInt) {
    limit(resource, soft: value, hard: value)
}

func limit(_ resource: __rlimit_resource, soft: UInt, hard: UInt) {
    var present = rlimit()
    must(getrlimit(__rlimit_resource_t(resource.rawValue), &present), "getrlimit")
    let highest = min(hard, present.rlim_max)
    var limit = rlimit(rlim_cur: min(soft, highest), rlim_max: highest)
    must(setrlimit(__rlimit_resource_t(resource.rawValue), &limit), "setrlimit")
}

/// Signal handlers that a parent set, the Swift runtime's for crashes among them, go back to the default.
func resetSignals() {
    for signal in [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGQUIT, SIGSYS] {
        Glibc.signal(signal, SIG_DFL)
    }
    // A peer that is gone shows in what send(2) returns.
    Glibc.signal(SIGPIPE, SIG_IGN)
}

/// Whoever starts the daemon by hand has variables that change what libraries and PAM's modules do.
func cleanEnvironment() {
    let zone = getenv("TZ").map { String(cString: $0) }
    clearenv()
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1)
    // Where none is set, glibc would look at this file again and again, even where it cannot be read any more.
    setenv("TZ", zone ?? ":/etc/localtime", 1)
    tzset()
}

/// A directory where nothing is and nothing can come to be: it is removed while we hold it.
struct EmptyDirectory {
    /// For fchdir(2); open as long as the daemon runs.
    let descriptor: Int32

    static func make() throws(StartError) -> EmptyDirectory {
        for parent in ["/run", "/tmp"] {
            var template = Array("\(parent)/imapd-XXXXXX".utf8CString)
            // Made with mode 0700, root's.
            guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else { continue }
            let descriptor = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            let error = Errno(rawValue: errno)
            rmdir(template)
            guard descriptor >= 0 else { throw .system("cannot open a new directory in \(parent): \(error)") }
            return EmptyDirectory(descriptor: descriptor)
        }
        throw .system("cannot make a directory in /run or /tmp: \(Errno(rawValue: errno))")
    }
}
