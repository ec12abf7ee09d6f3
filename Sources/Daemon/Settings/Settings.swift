import Authentication
import Logging
import Transport

/// Everything that an administrator may choose. The names, defaults and meanings are in `Setting.all`.
public struct Settings: Sendable {
    public enum Storage: String, Sendable, CaseIterable { case memory, maildir }
    public enum Separator: String, Sendable, CaseIterable { case dot = ".", slash = "/" }
    public enum LogTarget: String, Sendable, CaseIterable { case stderr, syslog }
    public enum Information: Sendable { case help, version, checkConfiguration, showConfiguration }

    public var port: UInt16?
    /// Empty: every address of this machine with `fork`, else the loopback ones.
    public var hosts: [String] = []
    /// `nil`: maildir with `fork`, else memory.
    public var storage: Storage?
    public var maildirPath = "~/Maildir"
    public var namespaceSeparator = Separator.dot
    public var namespacePrefix = ""
    public var tls = false
    public var certificate: String?
    public var key: String?
    public var fork = false
    public var user: User?
    public var allowPlaintextLogin = false
    public var pamService = "imapd"
    public var pamConfdir: String?
    public var pam = true
    public var passwordFile: String?
    public var passwordUse: String?
    public var loginDomains: [String] = []
    /// Empty: what suits the users.
    public var mechanisms: [SASL] = []
    public var gateUser: String?
    /// `nil`: as much as the kernel can, with `fork`.
    public var sandbox: SandboxPolicy?
    public var firstValidUID: UInt32 = 1000
    public var maxConnections = 10_000
    public var spares = 8
    var limits = AdmissionLimits()
    var allowed: [IPNetwork] = []
    var denied: [IPNetwork] = []
    /// `nil` is nobody; empty is this machine.
    var exempt: [IPNetwork?] = []
    var proxies: [IPNetwork] = []
    public var idleTimeout: Duration = .seconds(1800)
    public var keepalive: Duration = .seconds(240)
    public var failureDelay: Duration = .seconds(1)
    public var loginTimeout: Duration = .seconds(180)
    public var log: LogTarget = .stderr
    public var logLevel: Logger.Level = .info
    /// The file to read more from; `nil` is the default one, which need not exist.
    public var configuration: String?
    /// Asked for instead of a server.
    public var information: Information?

    /// What the file and the options have chosen, in their order. What an option overrides is not here.
    var given: [Assignment] = []
    /// What an administrator should know about the file though it can be used.
    var warnings: [String] = []

    public struct User: Sendable {
        public var name: String
        public var password: String
    }

    public init() {}

    /// An error in the value of a setting, which begins with the place where it was given.
    func error(in name: String, _ reason: String) -> StartError {
        (given.last { $0.setting.name == name }?.origin ?? .option).error(name, reason, .configuration)
    }

    /// What the listener holds connections to.
    var admission: AdmissionLimits {
        var limits = limits
        limits.connections = maxConnections
        limits.access = AccessList(allowed: allowed, denied: denied)
        if !exempt.isEmpty { limits.exempt = IPNetworkSet(exempt.compactMap { $0 }) }
        limits.proxies = IPNetworkSet(proxies)
        return limits
    }

    /// With --port that one, else those that clients know.
    var ports: [(number: UInt16, implicitTLS: Bool)] {
        if let port { return [(port, tls)] }
        return [(143, false)] + (tls ? [(993, true)] : [])
    }

    static let defaultConfiguration = "/etc/imapd/imapd.conf"
    static let defaultCertificate = "/etc/imapd/cert.pem"
    static let defaultPasswordUse = "/var/lib/imapd/password-use"
    static let defaultKey = "/etc/imapd/key.pem"
}
