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

/// What every role of a forking daemon inherits. It is made before the first fork, so that children share its pages, and made
/// anew when the settings are read again.
///
/// A class, though nobody shares it: a copy would count a reference to each of its strings, and copy the page of each.
package final class Household {
    let settings: Settings
    let logger: Logger
    let store: any MailStoreProvider
    /// Replaced when its files are.
    var tls: TLSContext? { didSet { gateRules.tls = tls } }
    /// What a gate goes by, but for how its client comes. As the next, made once: who takes a copy of all settings counts a
    /// reference to each of their strings.
    private(set) var gateRules: GateRules
    /// What sessions go by, but those of users of whom the settings say something else.
    private let sessionSettings: SessionSettings
    private let isSameForAll: Bool
    /// Whether any user's sessions are written down.
    let tracesAnybody: Bool
    let bound: [BoundPlace]
    let listeners: [Listener]
    let manager: ServiceManager
    let signals: Signals
    /// The account that talks to strangers.
    let gateAccount: Account
    let emptyDirectory: EmptyDirectory
    /// Virtual memory that a gate may have, in bytes: what the daemon has, and room for one connection.
    let gateMemory: UInt
    /// Memory of its own that a session may have, in bytes, as RLIMIT_DATA counts it.
    let sessionMemory: UInt
    /// Descriptors that a process may have, as the daemon was started: its listener may have as many as it can get.
    let descriptorLimit: UInt
    var policy: LoginPolicy
    /// Where children have somebody ask PAM and the password file.
    var keeper: QuestionSocket
    let accounts: AccountChoice
    package var sandbox: Sandbox
    /// Those who are believed when they tell for whom they connect.
    let proxies: IPNetworkSet
    /// What a process that logs keeps open beside the standard streams.
    let logDescriptors: [Int32]

    package convenience init(
        _ preparation: Preparation, gateAccount: Account, manager: ServiceManager = .takeFromEnvironment(),
        descriptorLimit: UInt? = nil
    ) throws(StartErrors) {
        let emptyDirectory: EmptyDirectory
        do throws(StartError) {
            emptyDirectory = try EmptyDirectory.make()
        } catch {
            throw StartErrors(errors: [error])
        }
        let signals: Signals
        do throws(Errno) {
            signals = try Signals.block()
        } catch {
            throw StartErrors(errors: [.system("cannot wait for signals: \(error)")])
        }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        self.init(
            preparation, gateAccount, manager, signals, emptyDirectory, descriptorLimit: descriptorLimit ?? limit.rlim_cur,
            keeper: .none, logger: preparation.logger, mechanisms: preparation.accounts.mechanisms)
    }

    /// What children inherit from now on: what does not come of the settings is as it was.
    ///
    /// What each child counts references to is copied, so that it lies with this object, if there are no holes in the heap.
    convenience init(_ preparation: Preparation, after earlier: Household) {
        var logger = preparation.logger
        logger.logLevel = logger.logLevel
        self.init(
            preparation, preparation.gateAccount ?? earlier.gateAccount, earlier.manager, earlier.signals, earlier.emptyDirectory,
            descriptorLimit: earlier.descriptorLimit, keeper: earlier.keeper, logger: logger,
            mechanisms: preparation.accounts.mechanisms.map { $0 })
    }

    /// The same, made once more: what each child counts references to then lies in few pages, behind all that was made and let
    /// go before.
    func again(with tls: TLSContext?) -> Household {
        let (settings, errors) = SettingsReader.read(settings.arguments, after: settings)
        guard let preparation = try? Preparation(settings, after: errors, reusing: bound, and: nil, keeping: tls) else { return self }
        clinux_seal_heap()
        return Household(preparation, after: self)
    }

    private init(
        _ preparation: Preparation, _ gateAccount: Account, _ manager: ServiceManager, _ signals: Signals,
        _ emptyDirectory: EmptyDirectory, descriptorLimit: UInt, keeper: QuestionSocket, logger: Logger,
        mechanisms: [SASL]
    ) {
        settings = preparation.settings
        self.logger = logger
        store = preparation.store
        tls = preparation.tls
        gateRules = preparation.settings.gateRules(
            tls: preparation.tls, plaintextLogin: preparation.settings.allowPlaintextLogin ? .always : .never)
        gateRules.mechanisms = mechanisms
        sessionSettings = preparation.settings.session(of: "")
        isSameForAll = preparation.settings.hiddenForUsers.isEmpty
        tracesAnybody = !preparation.settings.traced.isEmpty
        bound = preparation.bound
        listeners = preparation.listeners
        policy = preparation.policy
        accounts = preparation.accounts
        sandbox = preparation.sandbox
        proxies = IPNetworkSet(preparation.settings.proxies)
        logDescriptors = preparation.logDescriptor.map { [$0] } ?? []
        (gateMemory, sessionMemory) = Self.memory(preparation.settings)
        self.gateAccount = gateAccount
        self.manager = manager
        self.signals = signals
        self.emptyDirectory = emptyDirectory
        self.descriptorLimit = descriptorLimit
        self.keeper = keeper
    }

    func sessionSettings(of user: String) -> SessionSettings {
        isSameForAll ? sessionSettings : settings.session(of: user)
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
