import CLinux
import Glibc
import Privilege

/// Which system calls a process may make from now on (seccomp(2)), as a program that the kernel runs before each.
///
/// A call that no rule is about ends the process with SIGSYS, unless the filter says otherwise. The kernel remembers calls that
/// are always allowed, so that only those with a condition cost the program's time.
package struct SystemCallFilter {
    /// What half of an argument must be.
    package struct Condition {
        /// From 0 to 5.
        var argument: Int
        /// Which 32 of its 64 bits. The kernel takes an `int` from the lower half and does not look at the other.
        var isUpperHalf = false
        /// The bits that are looked at.
        var mask: UInt32 = .max
        /// One of these they must be.
        var values: [UInt32]

        static func argument(_ argument: Int, is values: Int32...) -> Condition {
            Condition(argument: argument, values: values.map { UInt32(bitPattern: $0) })
        }

        static func argument(_ argument: Int, lacks bits: Int32) -> Condition {
            Condition(argument: argument, mask: UInt32(bitPattern: bits), values: [0])
        }

        /// A pointer that leads nowhere.
        static func isNull(_ argument: Int) -> [Condition] {
            [Condition(argument: argument, values: [0]), Condition(argument: argument, isUpperHalf: true, values: [0])]
        }
    }

    package enum Verdict: Equatable {
        case allow
        /// The call fails with this number of errno(3): for what libraries try and can do without.
        case refuse(Int32)
    }

    package struct Rule {
        var call: Int32
        /// All must hold; else the rule is not about this call.
        var conditions: [Condition]
        var verdict: Verdict
        /// Why it is needed, for whoever reads the list.
        var reason: StaticString

        package init(call: Int32, conditions: [Condition] = [], verdict: Verdict, reason: StaticString) {
            (self.call, self.conditions, self.verdict, self.reason) = (call, conditions, verdict, reason)
        }

        static func allow(_ call: Int32, where conditions: [Condition] = [], _ reason: StaticString) -> Rule {
            Rule(call: call, conditions: conditions, verdict: .allow, reason: reason)
        }

        static func refuse(_ call: Int32, with error: Int32, _ reason: StaticString) -> Rule {
            Rule(call: call, conditions: [], verdict: .refuse(error), reason: reason)
        }
    }

    /// The first one that is about a call decides.
    var rules: [Rule]
    /// What becomes of calls that no rule is about; `nil`: they end the process.
    var otherwise: Verdict?

    package init(rules: [Rule], otherwise: Verdict? = nil) {
        (self.rules, self.otherwise) = (rules, otherwise)
    }

    /// The filter holds for this process and its children, for good. Needs `no_new_privs`.
    package func install() { program.withUnsafeBufferPointer { Self.install($0) } }

    /// - Parameters:
    ///   - program: may have stand-ins.
    ///   - line: what stands there for that.
    ///   - log: the same.
    static func install(_ program: UnsafeBufferPointer<sock_filter>, line: Int32 = -1, log: Int32 = -1) {
        var program = Array(program)
        for index in program.indices {
            let value = switch Int32(bitPattern: program[index].k) {
            case StandIn.process: getpid()
            case StandIn.line: line
            case StandIn.log: log
            case let other: other
            }
            program[index].k = UInt32(bitPattern: value)
        }
        must(clinux_seccomp_install(program, UInt16(program.count)), "seccomp")
    }

    /// Stands for what only the process knows that installs the filter, so that the program can be made before: no number of
    /// a process or descriptor.
    enum StandIn {
        static let process: Int32 = -101
        static let line: Int32 = -102
        static let log: Int32 = -103
    }

    // MARK: - The program

    /// Offsets in `struct seccomp_data` of <linux/seccomp.h>. Arguments are 64 bits each, their lower half first: every
    /// architecture that Swift runs Linux on is little-endian.
    private enum Offset {
        static let call: UInt32 = 0
        static let architecture: UInt32 = 4
        static func of(_ condition: Condition) -> UInt32 {
            16 + 8 * UInt32(condition.argument) + (condition.isUpperHalf ? 4 : 0)
        }
    }

    private enum Action {
        static let kill: UInt32 = 0x8000_0000       // SECCOMP_RET_KILL_PROCESS
        static let allow: UInt32 = 0x7FFF_0000      // SECCOMP_RET_ALLOW
        static let refuse: UInt32 = 0x0005_0000     // SECCOMP_RET_ERRNO, and the number

        static func of(_ verdict: Verdict) -> UInt32 {
            switch verdict {
            case .allow: allow
            case .refuse(let error): refuse | UInt32(bitPattern: error)
            }
        }
    }

    #if arch(x86_64)
    static let architecture: UInt32 = 0xC000_003E   // AUDIT_ARCH_X86_64
    #elseif arch(arm64)
    static let architecture: UInt32 = 0xC000_00B7   // AUDIT_ARCH_AARCH64
    #else
    #error("the filters of system calls have not been written for this architecture")
    #endif

    /// The same, for as long as there are processes of ours.
    var lasting: UnsafeBufferPointer<sock_filter> {
        let copy = UnsafeMutableBufferPointer<sock_filter>.allocate(capacity: program.count)
        _ = copy.initialize(from: program)
        return UnsafeBufferPointer(copy)
    }

    /// The kernel runs it for each call that there is when it is installed, to learn which are always allowed: so it is a
    /// tree, in which a call is found in few steps.
    var program: [sock_filter] {
        // A process may change into another architecture's mode, where the numbers mean other calls.
        var program = [
            Self.load(Offset.architecture),
            Self.jump(BPF_JEQ, Self.architecture, ifSo: 1),
            Self.end(Action.kill),
            Self.load(Offset.call),
        ]
        #if arch(x86_64)
        // The same machine's calls of another ABI (x32) have numbers with this bit.
        program += [Self.jump(BPF_JGE, 0x4000_0000, ifNot: 1), Self.end(Action.kill)]
        #endif
        let calls = Set(rules.map(\.call)).sorted().map { call in (call: call, rules: rules.filter { $0.call == call }) }
        return program + tree(calls[...])
    }

    private func tree(_ calls: ArraySlice<(call: Int32, rules: [Rule])>) -> [sock_filter] {
        guard calls.count > 2 else {
            return calls.flatMap { $0.rules.flatMap(Self.instructions) } + [Self.end(otherwise.map(Action.of) ?? Action.kill)]
        }
        let middle = calls.startIndex + calls.count / 2
        let lower = tree(calls[..<middle])
        precondition(lower.count < 256, "a filter with jumps that are further than the machine's")
        return [Self.jump(BPF_JGE, UInt32(bitPattern: calls[middle].call), ifSo: lower.count)] + lower + tree(calls[middle...])
    }

    /// Begins and ends with the call's number in the accumulator.
    private static func instructions(of rule: Rule) -> [sock_filter] {
        let tests = rule.conditions.map { condition in
            (condition, length: condition.values.count + (condition.mask == .max ? 1 : 2))
        }
        // Loading the number again, where a test has replaced it.
        let reload = tests.isEmpty ? 0 : 1
        let length = tests.reduce(1) { $0 + $1.length } + reload
        precondition(length < 256, "a rule that jumps further than the machine can")
        var result = [jump(BPF_JEQ, UInt32(bitPattern: rule.call), ifNot: length)]
        for (condition, _) in tests {
            result.append(load(Offset.of(condition)))
            if condition.mask != .max { result.append(statement(BPF_ALU | BPF_AND | BPF_K, condition.mask)) }
            for (index, value) in condition.values.enumerated() {
                let left = condition.values.count - 1 - index
                // Where none fits, on to the last instruction of this rule.
                let isLast = left == 0
                result.append(jump(BPF_JEQ, value, ifSo: left, ifNot: isLast ? length - 1 - result.count : 0))
            }
        }
        result.append(end(Action.of(rule.verdict)))
        if reload == 1 { result.append(load(Offset.call)) }
        return result
    }

    private static func load(_ offset: UInt32) -> sock_filter { statement(BPF_LD | BPF_W | BPF_ABS, offset) }

    private static func end(_ action: UInt32) -> sock_filter { statement(BPF_RET | BPF_K, action) }

    private static func statement(_ code: Int32, _ value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(code), jt: 0, jf: 0, k: value)
    }

    private static func jump(_ test: Int32, _ value: UInt32, ifSo: Int = 0, ifNot: Int = 0) -> sock_filter {
        sock_filter(code: UInt16(BPF_JMP | test | BPF_K), jt: UInt8(ifSo), jf: UInt8(ifNot), k: value)
    }
}
