import Authentication
import IMAPSession
import Logging
import Transport

/// Everything that an administrator may choose. The names, defaults and meanings are in `Setting.all`.
public struct Settings: Sendable {
    public enum Storage: String, Sendable, CaseIterable { case memory, maildir }
    public enum Separator: String, Sendable, CaseIterable { case dot = ".", slash = "/" }
    public enum LogTarget: String, Sendable, CaseIterable { case stderr, syslog, journal }
    public enum LogFormat: String, Sendable, CaseIterable { case text, json }
    public enum LogFacility: String, Sendable, CaseIterable {
        case mail, daemon, auth, authpriv, user, local0, local1, local2, local3, local4, local5, local6, local7
    }
    public enum Information: Sendable { case help, version, checkConfiguration, showConfiguration }

    /// With these, `port` and `hosts` are not set.
    public var listen: [ListenAddress] = []
    public var listenTLS: [ListenAddress] = []
    public var port: UInt16?
    /// Empty: every address of this machine with `fork`, else the loopback ones.
    public var hosts: [String] = []
    /// `nil`: maildir with `fork`, else memory.
    public var storage: Storage?
    public var maildirPath = "~/Maildir"
    public var namespaceSeparator = Separator.dot
    public var namespacePrefix = ""
    public var tls = false
    public var certificates: [String] = []
    public var keys: [String] = []
    public var clientAuthorities: String?
    public var certificateName = CertificateName.email
    public var fork = false
    public var user: User?
    public var allowPlaintextLogin = false
    public var pamService = "imapd"
    public var pamConfdir: String?
    public var pam = true
    public var pamSession = false
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
    /// A path, or "none"; `nil`: the default one.
    public var controlSocket: String?
    var metricsListen: [MetricsPlace] = []
    public var spares = 8
    var limits = AdmissionLimits()
    var allowed: [IPNetwork] = []
    var denied: [IPNetwork] = []
    /// `nil` is nobody; empty is this machine.
    var exempt: [IPNetwork?] = []
    var proxies: [IPNetwork] = []
    public var sessionMemory: UInt = 1 << 30
    /// Zero: never.
    var replaceSilentAfter: Duration = .seconds(1800)
    public var idleTimeout: Duration = .seconds(1800)
    public var keepalive: Duration = .seconds(240)
    public var failureDelay: Duration = .seconds(1)
    public var loginTimeout: Duration = .seconds(180)
    public var loginAttempts = 3
    public var loginCommands = 100
    public var specialMailboxes: [SpecialMailbox] = []
    public var largestMessage: UInt64 = 1 << 30
    public var expungeDelay: Duration = .zero
    var networkPoll: Duration = .seconds(15)
    public var greeting = "imapd ready"
    public var identity: [IdentityField] = []
    public var hiddenCapabilities: [String] = []
    public var hiddenForUsers: [HiddenForUser] = []
    /// `nil`: the journal if it reads the standard error stream, else that.
    public var log: LogTarget?
    public var logFormat: LogFormat = .text
    public var logLevel: Logger.Level = .info
    public var logFacility: LogFacility = .mail
    public var pidFile: String?
    public var reverseLookups = false
    /// Users whose sessions are traced.
    public var traced: [String] = []
    public var traceDirectory: String?
    public var traceLiterals = false
    /// The descriptor of what a predecessor has left.
    var estate: Int?
    /// The file to read more from; `nil` is the default one, which need not exist.
    public var configuration: String?
    /// Asked for instead of a server.
    public var information: Information?

    /// The command line that they were read from, for reading them again.
    var arguments: [String] = []
    /// The names of settings that will be others when the daemon is started again.
    var pending: [String] = []
    /// What the file and the options have chosen, in their order. What an option overrides is not here.
    var given: [Assignment] = []
    /// What an administrator should know about the file though it can be used.
    var warnings: [String] = []

    public struct User: Sendable {
        public var name: String
        public var password: String
    }

    /// A field of ID (RFC 2971); without a value it is not told.
    public struct IdentityField: Sendable, Equatable {
        public var name: String
        public var value: String?
    }

    /// Capabilities, by the names that they are told by, that one user's clients are not told.
    public struct HiddenForUser: Sendable, Equatable {
        public var user: String
        public var capabilities: [String]
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

    /// Of their own and of those who vouch for clients.
    var certificateFiles: [String] { wantsTLS ? certificates + keys + (clientAuthorities.map { [$0] } ?? []) : [] }

    /// Made of the files as they are now.
    func makeTLS() throws(TLSContextError) -> TLSContext {
        let context = try TLSContext(certificates: certificates, keys: keys, clientAuthorities: clientAuthorities)
        context.warmUp()
        return context
    }

    /// Whether there is to be TLS of any kind.
    var wantsTLS: Bool { tls || !certificates.isEmpty || !keys.isEmpty || !listenTLS.isEmpty }

    struct Place: Equatable {
        var host: String
        var port: UInt16
        var implicitTLS: Bool
    }

    /// Where to listen: as said, or on the ports that clients know.
    var places: [Place] {
        if !listen.isEmpty || !listenTLS.isEmpty {
            return listen.map { Place(host: $0.host, port: $0.port ?? 143, implicitTLS: false) }
                + listenTLS.map { Place(host: $0.host, port: $0.port ?? 993, implicitTLS: true) }
        }
        let hosts = hosts.isEmpty ? [fork ? "*" : "localhost"] : hosts
        let ports: [(UInt16, Bool)] = if let port { [(port, tls)] } else { [(143, false)] + (tls ? [(993, true)] : []) }
        return ports.flatMap { port, implicitTLS in hosts.map { Place(host: $0, port: port, implicitTLS: implicitTLS) } }
    }

    /// What clients of this user are not told.
    func hiddenCapabilities(for user: String) -> [String] {
        if hiddenForUsers.isEmpty { return hiddenCapabilities }
        return hiddenCapabilities + hiddenForUsers.filter { $0.user == user }.flatMap(\.capabilities)
    }

    public static let defaultConfiguration = "/etc/imapd/imapd.conf"
    static let defaultCertificate = "/etc/imapd/cert.pem"
    static let defaultPasswordUse = "/var/lib/imapd/password-use"
    static let defaultTraceDirectory = "/var/lib/imapd/trace"
    static let defaultKey = "/etc/imapd/key.pem"
}
