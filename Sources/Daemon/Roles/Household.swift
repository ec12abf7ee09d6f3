import Authentication
import CLinux
import Gate
import Glibc
import IMAPSession
import Logging
import MailStore
import Privilege
import SystemAuthentication
import SystemPackage
import Transport

/// What every role of a forking daemon inherits. It is made before the first fork, so that children share its pages.
///
/// A class, though nobody shares it: a copy would count a reference to each of its strings, and copy the page of each.
package final class Household {
    private(set) var settings: Settings
    private(set) var logger: Logger
    private(set) var store: any MailStoreProvider
    /// Replaced when its files are.
    var tls: TLSContext? { didSet { gateRules.tls = tls } }
    /// What a gate goes by, but for how its client comes. As the next, made once: who takes a copy of all settings counts a
    /// reference to each of their strings.
    private(set) var gateRules: GateRules
    /// What sessions go by, but those of users of whom the settings say something else.
    private var sessionSettings: SessionSettings
    private var isSameForAll: Bool
    /// Whether any user's sessions are written down.
    private(set) var tracesAnybody: Bool
    private(set) var bound: [BoundPlace]
    private(set) var listeners: [Listener]
    let manager: ServiceManager
    let signals: Signals
    /// The account that talks to strangers.
    private(set) var gateAccount: Account
    let emptyDirectory: EmptyDirectory
    /// Virtual memory that a gate may have, in bytes: what the daemon has, and room for one connection.
    private(set) var gateMemory: UInt
    /// Memory of its own that a session may have, in bytes, as RLIMIT_DATA counts it.
    private(set) var sessionMemory: UInt
    /// Descriptors that a process may have, as the daemon was started: its listener may have as many as it can get.
    let descriptorLimit: UInt
    var policy: LoginPolicy
    /// Where children have somebody ask PAM and the password file.
    var keeper = QuestionSocket.none
    private(set) var accounts: AccountChoice
    package var sandbox: Sandbox
    /// Those who are believed when they tell for whom they connect.
    private(set) var proxies: IPNetworkSet
    /// What a process that logs keeps open beside the standard streams.
    private(set) var logDescriptors: [Int32]

    package init(
        _ preparation: Preparation, gateAccount: Account, manager: ServiceManager = .takeFromEnvironment(),
        descriptorLimit: UInt? = nil
    ) throws(StartErrors) {
        self.manager = manager
        settings = preparation.settings
        logger = preparation.logger
        store = preparation.store
        tls = preparation.tls
        bound = preparation.bound
        listeners = preparation.listeners
        policy = preparation.policy
        accounts = preparation.accounts
        sandbox = preparation.sandbox
        proxies = IPNetworkSet(preparation.settings.proxies)
        logDescriptors = preparation.logDescriptor.map { [$0] } ?? []
        self.gateAccount = gateAccount
        gateRules = Self.gateRules(preparation)
        sessionSettings = preparation.settings.session(of: "")
        isSameForAll = preparation.settings.hiddenForUsers.isEmpty
        tracesAnybody = !preparation.settings.traced.isEmpty
        do throws(StartError) {
            emptyDirectory = try EmptyDirectory.make()
        } catch {
            throw StartErrors(errors: [error])
        }
        do throws(Errno) {
            signals = try Signals.block()
        } catch {
            throw StartErrors(errors: [.system("cannot wait for signals: \(error)")])
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        self.descriptorLimit = descriptorLimit ?? limit.rlim_cur
        (gateMemory, sessionMemory) = Self.memory(settings)
    }

    /// What children inherit from now on.
    func renew(_ preparation: Preparation) {
        settings = preparation.settings
        logger = preparation.logger
        store = preparation.store
        gateRules = Self.gateRules(preparation)
        sessionSettings = preparation.settings.session(of: "")
        isSameForAll = preparation.settings.hiddenForUsers.isEmpty
        tracesAnybody = !preparation.settings.traced.isEmpty
        tls = preparation.tls
        bound = preparation.bound
        listeners = preparation.listeners
        policy = preparation.policy
        logDescriptors = preparation.logDescriptor.map { [$0] } ?? []
        accounts = preparation.accounts
        sandbox = preparation.sandbox
        proxies = IPNetworkSet(preparation.settings.proxies)
        if let account = preparation.gateAccount { gateAccount = account }
        (gateMemory, sessionMemory) = Self.memory(settings)
    }

    func sessionSettings(of user: String) -> SessionSettings {
        isSameForAll ? sessionSettings : settings.session(of: user)
    }

    private static func gateRules(_ preparation: Preparation) -> GateRules {
        var rules = preparation.settings.gateRules(
            tls: preparation.tls, plaintextLogin: preparation.settings.allowPlaintextLogin ? .always : .never)
        rules.mechanisms = preparation.accounts.mechanisms
        return rules
    }

    /// What children may have: what this process has, and something for themselves.
    private static func memory(_ settings: Settings) -> (gate: UInt, session: UInt) {
        let sizes = sizes()
        let stack = UInt(CLINUX_FRESH_STACK)
        return (sizes.addressSpace &+ stack &+ 128 << 20, sizes.data &+ stack &+ settings.sessionMemory)
    }

    /// Of this process, in bytes: all that is mapped, and what is writable of it and nobody else's (proc(5), /proc/self/statm).
    private static func sizes() -> (addressSpace: UInt, data: UInt) {
        let unknown: (UInt, UInt) = (1 << 30, 1 << 30)
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return unknown }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = max(0, read(descriptor, &bytes, bytes.count))
        let pages = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ").compactMap { UInt($0) }
        guard pages.count >= 6 else { return unknown }
        let size = UInt(sysconf(Int32(_SC_PAGESIZE)))
        return (pages[0] * size, pages[5] * size)
    }
}
