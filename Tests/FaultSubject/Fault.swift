import CFaults
import Glibc

/// What goes wrong.
enum Fault: String, CaseIterable {
    case kill, tear, short, cut
    case noSpace, quota, io, files, interrupted, access
    /// From one call on, and not at one only.
    case noSpaceOn, ioOn, filesOn
    /// Another program does something.
    case delivery, foreignFlag, foreignRemoval

    init?(name: String) { self.init(rawValue: name) }

    var kind: Int32 {
        let kind: faults_kind = switch self {
        case .kill: FAULTS_KILL
        case .tear: FAULTS_TEAR
        case .short: FAULTS_SHORT
        case .cut: FAULTS_CUT
        case .noSpace, .quota, .io, .files, .interrupted, .access: FAULTS_FAIL
        case .noSpaceOn, .ioOn, .filesOn: FAULTS_FAIL_ON
        case .delivery, .foreignFlag, .foreignRemoval: FAULTS_ACT
        }
        return Int32(kind.rawValue)
    }

    var error: Int32 {
        switch self {
        case .noSpace, .noSpaceOn: ENOSPC
        case .quota: EDQUOT
        case .io, .ioOn: EIO
        case .files, .filesOn: EMFILE
        case .interrupted: EINTR
        case .access: EACCES
        default: 0
        }
    }

    /// Whether the process is to be gone afterwards.
    var isDeadly: Bool { [.kill, .tear, .cut].contains(self) }

    var isLasting: Bool { [.noSpaceOn, .ioOn, .filesOn].contains(self) }
}
