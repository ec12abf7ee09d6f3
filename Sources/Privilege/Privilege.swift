import CLinux
import Glibc
import SystemPackage

/// Ends a process that cannot be what it should be: half a drop of privilege is worse than none.
public func die(_ doing: String, _ error: Errno? = nil) -> Never {
    var bytes = Array("imapd[\(getpid())]: cannot go on: \(doing)\(error.map { ": \($0)" } ?? "")\n".utf8)
    _ = bytes.withUnsafeMutableBytes { write(2, $0.baseAddress, $0.count) }
    // EX_OSERR of sysexits.h.
    _exit(71)
}

/// For system calls whose failure leaves a process with more than it may have.
public func must(_ status: Int32, _ doing: String) {
    guard status == 0 else { die(doing, Errno(rawValue: errno)) }
}

/// Becomes `account` for good.
///
/// Its groups were looked up earlier: after chroot there is no /etc/group. For a process that has one thread.
public func becomeForGood(_ account: Account) {
    if account.uid == 0 { die("the account \(account.name) is root") }
    must(clinux_setgroups(account.groups.count, account.groups), "setgroups")
    must(clinux_setresgid(account.gid, account.gid, account.gid), "setresgid")
    must(clinux_setresuid(account.uid, account.uid, account.uid), "setresuid")
    if clinux_setresuid(0, 0, 0) == 0 || clinux_setresgid(0, 0, 0) == 0 && account.gid != 0 { die("root is still within reach") }
    // No set-uid program gives anything back, no core holds mail or passwords, and nobody else's process may look inside.
    must(clinux_no_new_privileges(), "no_new_privs")
    must(clinux_not_dumpable(), "not dumpable")
}
