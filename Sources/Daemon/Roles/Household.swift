import Authentication
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
    var tls: TLSContext?
    private(set) var bound: [BoundPlace]
    private(set) var listeners: [Listener]
    let manager: ServiceManager
    let signals: Signals
    /// The account that talks to strangers.
    private(set) var gateAccount: Account
    let emptyDirectory: EmptyDirectory
    /// Virtual memory that a gate may have, in bytes: what the daemon has, and room for one connection.
    private(set) var gateMemory: UInt
    /// Descriptors that a process may have, as the daemon was started: its listener may have as many as it can get.
    let descriptorLimit: UInt
    var policy: LoginPolicy
    private(set) var accounts: AccountChoice
    package var sandbox: Sandbox
    /// Those who are believed when they tell for whom they connect.
    private(set) var proxies: IPNetworkSet
    /// What a process that logs keeps open beside the standard streams.
    private(set) var logDescriptors: [Int32]

    package init(
        _ preparation: Preparation, gateAccount: Account, manager: ServiceManager = .takeFromEnvironment()
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
        descriptorLimit = limit.rlim_cur
        gateMemory = Self.addressSpace() &+ 128 << 20
    }

    /// What children inherit from now on.
    func renew(_ preparation: Preparation) {
        settings = preparation.settings
        logger = preparation.logger
        store = preparation.store
        tls = preparation.tls
        bound = preparation.bound
        listeners = preparation.listeners
        policy = preparation.policy
        logDescriptors = preparation.logDescriptor.map { [$0] } ?? []
        accounts = preparation.accounts
        sandbox = preparation.sandbox
        proxies = IPNetworkSet(preparation.settings.proxies)
        if let account = preparation.gateAccount { gateAccount = account }
        gateMemory = Self.addressSpace() &+ 128 << 20
    }

    /// Of this process, in bytes (proc(5), /proc/self/statm).
    private static func addressSpace() -> UInt {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 1 << 30 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = max(0, read(descriptor, &bytes, bytes.count))
        let pages = UInt(String(decoding: bytes[..<count].prefix { $0 != 0x20 }, as: UTF8.self))
        return pages.map { $0 * UInt(sysconf(Int32(_SC_PAGESIZE))) } ?? 1 << 30
    }
}
