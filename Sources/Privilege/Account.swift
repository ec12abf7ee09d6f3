import Glibc
import SystemPackage

/// A system account: what a process needs to become its user.
public struct Account: Sendable, Equatable {
    public var name: String
    public var uid: uid_t
    public var gid: gid_t
    /// All of its groups, `gid` among them.
    public var groups: [gid_t]
    public var home: String

    public init(name: String, uid: uid_t, gid: gid_t, groups: [gid_t], home: String) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home
    }

    /// Asks the system's name services; `nil` if they know no such user. Throws what keeps them from telling.
    public init?(named name: String) throws(Errno) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 1024)
        var status = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        while status == ERANGE, buffer.count < 1 << 20 {
            buffer = [CChar](repeating: 0, count: buffer.count * 2)
            status = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        }
        // As good as 0 where a service has not even a file (getpwnam_r(3)).
        guard status == 0 || status == ENOENT || status == ESRCH else { throw Errno(rawValue: status) }
        guard found != nil, let home = entry.pw_dir, let ownName = entry.pw_name else { return nil }

        var groups = [gid_t](repeating: 0, count: 64)
        var count = Int32(groups.count)
        while getgrouplist(ownName, entry.pw_gid, &groups, &count) < 0 {
            guard Int(count) > groups.count else { throw .noMemory }
            groups = [gid_t](repeating: 0, count: Int(count))
        }
        self.init(
            name: String(cString: ownName), uid: entry.pw_uid, gid: entry.pw_gid,
            groups: Array(groups.prefix(Int(count))), home: String(cString: home))
    }
}
