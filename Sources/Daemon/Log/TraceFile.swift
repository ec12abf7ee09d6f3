import Glibc
import IMAPSession
import Logging
import SystemPackage
import Transport

/// Where sessions of users whom the administrator traces are written down.
enum TraceFile {
    /// A new file for this session; `nil` if nobody wants one, or if there can be none.
    static func open(for user: String, peer: PeerAddress, _ settings: Settings, _ logger: Logger) -> ProtocolTrace? {
        guard settings.traced.contains(user) else { return nil }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        // Never one that is there, and through no link: O_EXCL.
        let directory = settings.traceDirectory ?? Settings.defaultTraceDirectory
        let path = "\(directory)/\(safe(user)).\(LogTime.utc(now)).\(now.tv_nsec % 1_000_000)"
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            logger.error("trace failed", metadata: ["error": "\(path): \(Errno(rawValue: errno))"])
            return nil
        }
        logger.notice("trace", metadata: ["file": "\(path)"])
        let trace = ProtocolTrace(descriptor: descriptor, showsLiterals: settings.traceLiterals)
        trace.note("session of \(user) from \(peer)")
        return trace
    }

    /// A name that stays in its directory.
    private static func safe(_ user: String) -> String {
        let name = String(decoding: user.utf8.prefix(100).map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                 UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "@"),
                 UInt8(ascii: "."): byte
            default: UInt8(ascii: "_")
            }
        }, as: UTF8.self)
        return name.hasPrefix(".") ? "_" + name : name
    }
}
