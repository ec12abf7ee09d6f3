import Authentication
import Gate
import Glibc
import IMAPSession
import IMAPTypes
import Logging
import MailStore
import Maildir
import MemoryStore
import Privilege
import SystemAuthentication
import Transport

/// All that must be right before anybody is served, made from the settings.
package struct Preparation {
    let settings: Settings
    let logger: Logger
    /// The descriptor that the log needs, if it is not the standard error stream.
    let logDescriptor: Int32?
    let listeners: [Listener]
    let tls: TLSContext?
    let store: any MailStoreProvider
    let accounts: AccountChoice
    /// With `fork`: the account that talks to strangers.
    package let gateAccount: Account?
    /// What holds gates and sessions.
    let sandbox: Sandbox

    /// What an administrator should know though it works.
    var warnings: [String] { settings.warnings + (tls?.warnings ?? []) + accounts.warnings }

    var rules: GateRules {
        let isMemory = settings.storage == .memory
        var rules = GateRules(
            tls: tls, plaintextLogin: settings.allowPlaintextLogin ? .always : isMemory ? .fromLoopback : .never)
        rules.mechanisms = accounts.mechanisms
        rules.timeLimit = settings.loginTimeout
        return rules
    }

    var policy: LoginPolicy {
        var policy = LoginPolicy()
        policy.delay = settings.failureDelay
        policy.timeLimit = settings.loginTimeout
        return policy
    }

    var session: SessionSettings {
        var session = SessionSettings()
        session.namespacePrefix = settings.namespacePrefix
        session.autologout = settings.idleTimeout
        return session
    }

    /// Tries everything, so that every error is told at once.
    package init(_ given: Settings) throws(StartErrors) {
        var errors: [StartError] = []
        settings = Self.completed(given, &errors)

        let (sink, logDescriptor) = Self.sink(settings, &errors)
        let level = settings.logLevel
        logger = Logger(label: "imapd", factory: { _ in LineLogHandler(sink: sink, level: level) })
        self.logDescriptor = logDescriptor

        // Whether things are right can be asked by anybody, and while a server runs.
        let isChecking = settings.information != nil
        if settings.fork, geteuid() != 0, !isChecking {
            errors.append(.noPermission("--fork needs root: start it with sudo, or leave --fork out"))
        }
        accounts = AccountChoice(settings, &errors)
        gateAccount = settings.fork ? Self.gateAccount(settings, &errors) : nil
        sandbox = Self.sandbox(settings, &errors)
        tls = Self.makeTLS(settings, &errors)
        store = Self.makeStore(settings, logger)
        listeners = isChecking ? [] : Self.listen(settings, &errors)

        guard errors.isEmpty else { throw StartErrors(errors: errors) }
    }

    /// What was left open is decided, what does not go together is told.
    private static func completed(_ given: Settings, _ errors: inout [StartError]) -> Settings {
        var settings = given
        settings.storage = given.storage ?? (given.fork ? .maildir : .memory)
        if settings.fork, settings.storage == .memory {
            errors.append(.usage("--fork cannot serve --storage memory, which is one process's: leave one of them out"))
        }
        if settings.fork, settings.user != nil {
            errors.append(.usage("--user is for one process; with --fork, PAM decides who may log in"))
        }
        let separator = Character(settings.namespaceSeparator.rawValue)
        if let last = settings.namespacePrefix.last, last != separator || MailboxName(settings.namespacePrefix).map({ name in
            name.levels(separator: separator).dropLast().contains(where: \.isEmpty)
        }) ?? true {
            errors.append(settings.error(in: "namespace-prefix", "\"\(settings.namespacePrefix)\" are not levels of a name, each "
                                            + "with the separator \(separator) behind it"))
        }
        if !settings.fork, given.sandbox != nil {
            errors.append(.usage("--sandbox is for --fork; without it there is one process, which nothing holds"))
        }
        if !settings.fork {
            for assignment in settings.given where assignment.setting.traits.contains(.needsFork) {
                errors.append(assignment.origin.error(assignment.setting.name, "this is for --fork"))
            }
        }
        if settings.limits.penalties.begin > settings.limits.penalties.longest {
            errors.append(settings.error(in: "penalty-begin", "more than --penalty-longest is never owed"))
        }
        if settings.tls || given.certificate != nil || given.key != nil {
            settings.certificate = given.certificate ?? Settings.defaultCertificate
            settings.key = given.key ?? Settings.defaultKey
        }
        if settings.hosts.isEmpty { settings.hosts = settings.fork ? ["*"] : ["localhost"] }
        return settings
    }

    private static func sink(_ settings: Settings, _ errors: inout [StartError]) -> (any LogSink, Int32?) {
        guard settings.log == .syslog else { return (StandardErrorSink(), nil) }
        if let sink = SyslogSink() { return (sink, sink.descriptor) }
        errors.append(settings.error(in: "log", "nobody listens at /dev/log; start a syslog daemon, or log to stderr"))
        return (StandardErrorSink(), nil)
    }

    private static func gateAccount(_ settings: Settings, _ errors: inout [StartError]) -> Account? {
        if let name = settings.gateUser {
            guard let account = Account(named: name) else {
                errors.append(
                    settings.error(in: "gate-user", "there is no account \(name); make it with useradd --system \(name)"))
                return nil
            }
            guard account.uid != 0 else {
                errors.append(
                    settings.error(in: "gate-user", "\(name) is root, who must not talk to strangers; name another account"))
                return nil
            }
            return account
        }
        if let account = Account(named: "imapd") ?? Account(named: "nobody"), account.uid != 0 { return account }
        errors.append(.configuration("there is no account for the gates: make one with useradd --system imapd"))
        return nil
    }

    private static func sandbox(_ settings: Settings, _ errors: inout [StartError]) -> Sandbox {
        let policy = settings.sandbox ?? .best
        let sandbox = Sandbox(settings.fork ? policy : .off)
        if policy == .required, !sandbox.missing.isEmpty {
            errors.append(settings.error(in: "sandbox", "this kernel has \(sandbox.missing.joined(separator: "; and "))"))
        }
        return sandbox
    }

    private static func makeTLS(_ settings: Settings, _ errors: inout [StartError]) -> TLSContext? {
        guard let certificate = settings.certificate, let key = settings.key else { return nil }
        do throws(TLSContextError) {
            let context = try TLSContext(certificate: certificate, key: key)
            context.warmUp()
            return context
        } catch {
            for problem in error.problems {
                errors.append(.configuration("\(problem); name the right file with --cert or --key"))
            }
            return nil
        }
    }

    private static func makeStore(_ settings: Settings, _ logger: Logger) -> any MailStoreProvider {
        let separator = Character(settings.namespaceSeparator.rawValue)
        guard settings.storage == .maildir else { return MemoryProvider(separator: separator) }
        var path = settings.maildirPath
        // Without system accounts, home is where whoever started us is at home.
        if !settings.fork, path == "~" || path.hasPrefix("~/"), let home = getenv("HOME") {
            path = String(cString: home).split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%")
                + path.dropFirst()
        }
        return MaildirProvider(path: path, separator: separator, logger: logger)
    }

    // MARK: - Listeners

    private static func listen(_ settings: Settings, _ errors: inout [StartError]) -> [Listener] {
        var listeners: [Listener] = []
        for (port, implicitTLS) in settings.ports {
            for host in settings.hosts {
                do throws(ListenError) {
                    listeners += try Listener.listen(
                        host: host, port: port, implicitTLS: implicitTLS, keepalive: settings.keepalive)
                } catch {
                    errors.append(startError(error, port: port))
                }
            }
        }
        return listeners
    }

    private static func startError(_ error: ListenError, port: UInt16) -> StartError {
        switch error {
        case .address(_, .permissionDenied):
            .noPermission("\(error); ports below 1024 need root: use sudo, or another port, such as --port 10143")
        case .address(_, .addressInUse):
            .unavailable("\(error); another server has that port: stop it, or use another one with --port")
        case .unknownHost: .unavailable("--host: \(error)")
        case .address, .descriptors: .unavailable("\(error)")
        }
    }
}

/// Everything that keeps imapd from starting.
package struct StartErrors: Error {
    package var errors: [StartError]
}
