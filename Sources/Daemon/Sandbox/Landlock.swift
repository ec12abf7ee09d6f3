import CLinux
import Glibc
import Privilege

/// What of the file system a process may use from now on, beside what it has open (landlock(7)).
///
/// Everything that the kernel's version knows is forbidden, and then some of it allowed beneath some directories.
package struct Landlock: Sendable {
    /// Rights, as bits of <linux/landlock.h>.
    struct Access: OptionSet {
        let rawValue: UInt64

        static let execute = Access(rawValue: 1 << 0)
        static let writeFile = Access(rawValue: 1 << 1)
        static let readFile = Access(rawValue: 1 << 2)
        static let readDirectory = Access(rawValue: 1 << 3)
        static let removeDirectory = Access(rawValue: 1 << 4)
        static let removeFile = Access(rawValue: 1 << 5)
        static let makeDirectory = Access(rawValue: 1 << 7)
        static let makeFile = Access(rawValue: 1 << 8)
        /// To rename or link from one directory to another.
        static let refer = Access(rawValue: 1 << 13)
        static let truncate = Access(rawValue: 1 << 14)
        static let deviceControl = Access(rawValue: 1 << 15)

        /// What a store does. Not to make links, sockets, pipes and devices: a link could lead out of here next time.
        static let mail: Access = [
            .readFile, .readDirectory, .writeFile, .truncate, .makeFile, .makeDirectory, .removeFile, .removeDirectory, .refer,
        ]
        static let read: Access = [.readFile, .readDirectory]
    }

    /// The kernel's version of the interface, at least 2.
    let version: Int32

    /// `nil` if the kernel has none, or forbids it, or one that could not rename between directories (5.13 to 5.18).
    package init?(version: Int32 = clinux_landlock_version()) {
        guard version >= 2 else { return nil }
        self.version = version
    }

    /// Everything that can be forbidden to do with files.
    var fileSystem: Access {
        // Version 1 has the first 13 bits, 2 has `refer`, 3 `truncate`, 5 `deviceControl`.
        let bits: UInt64 = version >= 5 ? 16 : version >= 3 ? 15 : 14
        return Access(rawValue: 1 << bits - 1)
    }

    /// To bind and to connect with TCP, from version 4 on.
    var network: UInt64 { version >= 4 ? 0b11 : 0 }

    /// To connect to abstract Unix sockets and to signal processes beyond these limits, from version 6 on.
    var scoped: UInt64 { version >= 6 ? 0b11 : 0 }

    /// Forbids everything, until something is allowed.
    func ruleset() -> Ruleset {
        let descriptor = clinux_landlock_ruleset(fileSystem.rawValue, network, scoped)
        if descriptor < 0 { must(descriptor, "landlock_create_ruleset") }
        return Ruleset(descriptor: descriptor, fileSystem: fileSystem)
    }

    /// Rules that hold for nobody yet.
    struct Ruleset: ~Copyable {
        fileprivate let descriptor: Int32
        fileprivate let fileSystem: Access

        deinit { close(descriptor) }

        func allow(_ access: Access, beneath directory: Int32) {
            must(clinux_landlock_allow(descriptor, directory, access.intersection(fileSystem).rawValue), "landlock_add_rule")
        }

        /// From now on, for this process and its children, for good. Needs `no_new_privs`.
        func enforce() { must(clinux_landlock_enforce(descriptor), "landlock_restrict_self") }
    }
}
