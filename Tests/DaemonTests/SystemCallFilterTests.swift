import CLinux
import Glibc
import Testing

@testable import Daemon

/// Filters of system calls, by a machine of our own that runs them as the kernel's does.
@Suite struct SystemCallFilterTests {
    private typealias Condition = SystemCallFilter.Condition

    private enum Outcome: Equatable {
        case allowed
        case refused(Int32)
        case killed

        init(action: UInt32) {
            switch action & 0xFFFF_0000 {
            case 0x7FFF_0000: self = .allowed
            case 0x0005_0000: self = .refused(Int32(action & 0xFFFF))
            default: self = .killed
            }
        }
    }

    /// <linux/bpf_common.h>, as far as filters use it. Anything else, or a jump beyond the end, is this test's failure.
    private static func run(
        _ filter: SystemCallFilter, _ call: Int32, _ arguments: [UInt64] = [], architecture: UInt32 = SystemCallFilter.architecture
    ) throws -> Outcome {
        let program = filter.program
        var data = [UInt32](repeating: 0, count: 16)
        (data[0], data[1]) = (UInt32(bitPattern: call), architecture)
        for (number, argument) in arguments.enumerated() {
            data[4 + 2 * number] = UInt32(truncatingIfNeeded: argument)
            data[5 + 2 * number] = UInt32(argument >> 32)
        }
        var accumulator: UInt32 = 0
        var at = 0
        while true {
            let step = try #require(program.indices.contains(at) ? program[at] : nil)
            at += 1
            switch Int32(step.code) {
            case BPF_LD | BPF_W | BPF_ABS: accumulator = data[Int(step.k) / 4]
            case BPF_ALU | BPF_AND | BPF_K: accumulator &= step.k
            case BPF_JMP | BPF_JEQ | BPF_K: at += Int(accumulator == step.k ? step.jt : step.jf)
            case BPF_JMP | BPF_JGE | BPF_K: at += Int(accumulator >= step.k ? step.jt : step.jf)
            case BPF_RET | BPF_K: return Outcome(action: step.k)
            default: Issue.record("an instruction that is not expected: \(step.code)")
            }
        }
    }

    private let sample = SystemCallFilter(rules: [
        .allow(1, ""),
        .allow(2, where: [.argument(0, is: 5, 6, 7)], ""),
        .allow(2, where: [.argument(0, is: 8), .argument(1, lacks: 4)], ""),
        .refuse(3, with: 38, ""),
        .allow(4, where: Condition.isNull(5), ""),
        .allow(2, where: [.argument(1, is: -1)], ""),
        .allow(5, ""),
    ])

    @Test("the first rule that is about a call decides", arguments: [
        (1, [], .allowed), (5, [], .allowed), (3, [], .refused(38)), (0, [], .killed), (6, [], .killed), (-1, [], .killed),
        (2, [5], .allowed), (2, [6], .allowed), (2, [7], .allowed), (2, [4], .killed), (2, [8, 0], .allowed), (2, [8, 3], .allowed),
        (2, [8, 4], .killed), (2, [8, 7], .killed), (2, [9, 0], .killed), (2, [9, 0xFFFF_FFFF], .allowed),
        // Of an int the kernel takes half.
        (2, [1 << 32 | 5], .allowed),
        // Of a pointer all.
        (4, [1, 2, 3, 4, 5, 0], .allowed), (4, [0, 0, 0, 0, 0, 1], .killed), (4, [0, 0, 0, 0, 0, 1 << 32], .killed),
    ] as [(Int32, [UInt64], Outcome)])
    private func rules(call: Int32, arguments: [UInt64], outcome: Outcome) throws {
        #expect(try Self.run(sample, call, arguments) == outcome)
    }

    @Test("numbers of another architecture mean other calls", arguments: [0x4000_0003, 0xC000_003D, 0, .max] as [UInt32])
    func architecture(architecture: UInt32) throws {
        #expect(try Self.run(sample, 1, architecture: architecture) == .killed)
    }

    @Test func nothingIsAllowedByAnEmptyList() throws {
        for call in Int32(0)..<1000 { #expect(try Self.run(SystemCallFilter(rules: []), call) == .killed) }
    }

    @Test("a filter may allow, or refuse, what it does not name")
    func otherwise() throws {
        let lenient = SystemCallFilter(rules: [.refuse(1, with: 38, "")], otherwise: .allow)
        #expect(try Self.run(lenient, 1) == .refused(38))
        #expect(try Self.run(lenient, 2) == .allowed)
        #expect(try Self.run(lenient, 2, architecture: 0x4000_0003) == .killed)
        #if arch(x86_64)
        #expect(try Self.run(lenient, 0x4000_0002) == .killed)
        #endif
    }

    /// What no role has any business with.
    @Test(arguments: [
        SYS_execve, SYS_execveat, SYS_clone, SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept4, SYS_kill,
        SYS_tkill, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_setuid,
        SYS_setresuid, SYS_setgid, SYS_setgroups, SYS_capset, SYS_prctl, SYS_seccomp, SYS_chroot, SYS_mount, SYS_umount2,
        SYS_unshare, SYS_setns, SYS_pivot_root, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_memfd_create, SYS_io_uring_setup,
        SYS_userfaultfd, SYS_bpf, SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module,
        SYS_finit_module, SYS_kexec_load, SYS_reboot, SYS_personality, SYS_ioctl, SYS_fchmod, SYS_fchmodat, SYS_fchown,
        SYS_fchownat, SYS_symlinkat, SYS_mknodat, SYS_truncate, SYS_chdir, SYS_fchdir, SYS_dup, SYS_dup3, SYS_setrlimit, SYS_shmat,
        SYS_fanotify_init, SYS_readlinkat, SYS_setxattr, SYS_sethostname, SYS_settimeofday, SYS_syslog, SYS_quotactl,
    ] as [Int32])
    func outOfTheQuestion(call: Int32) throws {
        for filter in [SystemCallFilter.gate(), .session(line: 6, log: nil), .session(line: 6, log: 7)] {
            #expect(try Self.run(filter, call) == .killed)
        }
    }

    @Test func gateTakesNoName() throws {
        let calls = [SYS_openat, SYS_newfstatat, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_mkdirat, SYS_inotify_add_watch, SYS_connect]
        for call in calls { #expect(try Self.run(.gate(), call) == .killed) }
    }

    @Test func memoryWithCode() throws {
        let (code, data) = (UInt64(PROT_READ | PROT_EXEC), UInt64(PROT_READ | PROT_WRITE))
        for filter in [SystemCallFilter.gate(), .session(line: 6, log: nil)] {
            #expect(try Self.run(filter, SYS_mmap, [0, 4096, data]) == .allowed)
            #expect(try Self.run(filter, SYS_mmap, [0, 4096, data | code]) == .killed)
            #expect(try Self.run(filter, SYS_mprotect, [0, 4096, data]) == .allowed)
            #expect(try Self.run(filter, SYS_mprotect, [0, 4096, code]) == .killed)
        }
        #expect(try Self.run(.gate(), SYS_mmap, [0, 4096, code]) == .killed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_mmap, [0, 4096, code]) == .allowed)
    }

    @Test func sessionTalksToNobodyElse() throws {
        #expect(try Self.run(.session(line: 6, log: nil), SYS_sendto, [8, 0x1000, 5, 0, 0, 0]) == .allowed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_sendto, [8, 0x1000, 5, 0, 0x7FFF_0000_0000, 16]) == .killed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_recvmsg, [6]) == .allowed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_recvmsg, [7]) == .killed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_sendmsg, [6]) == .killed)
        #expect(try Self.run(.session(line: 6, log: nil), SYS_connect, [7]) == .killed)
        #expect(try Self.run(.session(line: 6, log: 7), SYS_connect, [7]) == .allowed)
        #expect(try Self.run(.session(line: 6, log: 7), SYS_connect, [8]) == .killed)
    }

    @Test func signalsToItselfOnly() throws {
        #expect(try Self.run(.gate(), SYS_tgkill, [UInt64(getpid()), 1, 6]) == .allowed)
        #expect(try Self.run(.gate(), SYS_tgkill, [UInt64(getpid()) + 1, 1, 6]) == .killed)
    }

    @Test func limitsOfItselfOnly() throws {
        #expect(try Self.run(.gate(), SYS_prlimit64, [0, UInt64(RLIMIT_CPU.rawValue)]) == .allowed)
        #expect(try Self.run(.gate(), SYS_prlimit64, [0, UInt64(RLIMIT_AS.rawValue)]) == .killed)
        #expect(try Self.run(.gate(), SYS_prlimit64, [1, UInt64(RLIMIT_CPU.rawValue)]) == .killed)
    }
}

/// What Landlock is asked for, by the kernel's version of it.
@Suite struct LandlockTests {
    @Test("what cannot rename between directories is none", arguments: [-1, 0, 1] as [Int32])
    func none(version: Int32) {
        #expect(Landlock(version: version) == nil)
    }

    @Test("everything that a version knows is forbidden, and nothing that it does not know", arguments: [
        (2, 0x3FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (5, 0xFFFF, 3, 0), (6, 0xFFFF, 3, 3), (7, 0xFFFF, 3, 3), (99, 0xFFFF, 3, 3),
    ] as [(Int32, UInt64, UInt64, UInt64)])
    func versions(version: Int32, files: UInt64, network: UInt64, scoped: UInt64) throws {
        let landlock = try #require(Landlock(version: version))
        #expect(landlock.fileSystem.rawValue == files)
        #expect(landlock.network == network)
        #expect(landlock.scoped == scoped)
    }

    @Test func mailHasNoProgramsAndNoLinks() {
        #expect(Landlock.Access.mail.isDisjoint(with: [.execute, .deviceControl, Landlock.Access(rawValue: 0b1_1110_0100_0000)]))
    }

    @Test("what a kernel lacks is told, and what that means")
    func fallback() {
        #expect(Sandbox(.best, canFilter: true, landlock: Landlock(version: 7)).missing == [])
        let none = Sandbox(.best, canFilter: false, landlock: nil)
        #expect(none.missing.count == 2 && none.missing[0].contains("seccomp") && none.missing[1].contains("Landlock"))
        let off = Sandbox(.off, canFilter: true, landlock: Landlock(version: 7))
        #expect(off.missing == [] && !off.filtersSystemCalls && off.landlock == nil)
    }
}
