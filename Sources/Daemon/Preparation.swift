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
import SystemPackage
import Transport

/// All that must be right before anybody is served, made from the settings.
package struct Preparation {
    let settings: Settings
    let logger: Logger
    /// The descriptor that the log needs, if it is not the standard error stream.
    let logDescriptor: Int32?
    let bound: [BoundPlace]
    var listeners: [Listener] { bound.flatMap(\.listeners) }
    /// Of their files, as they were before they were read.
    let certificates: FileWatch
    let tls: TLSContext?
    let store: any MailStoreProvider
    let accounts: AccountChoice
    /// Where the daemon is asked how it is.
    let doors: [Door]
    private var doorWarnings: [String] = []
    /// With `fork`: the account that talks to strangers.
    package let gateAccount: Account?
    /// What holds gates and sessions.
    let sandbox: Sandbox

    /// What an administrator should know though it works.
    var warnings: [String] { settings.warnings + (tls?.warnings ?? []) + accounts.warnings + doorWarnings }

    var rules: GateRules {
        let isMemory = settings.storage == .memory
        var rules = settings.gateRules(
            tls: tls, plaintextLogin: settings.allowPlaintextLogin ? .always : isMemory ? .fromLoopback : .never)
        rules.mechanisms = accounts.mechanisms
        return rules
    }

    var policy: LoginPolicy {
        var policy = LoginPolicy()
        policy.attempts = settings.loginAttempts
        policy.delay = settings.failureDelay
        policy.timeLimit = settings.loginTimeout
        return policy
    }

    package init(_ given: Settings) throws(StartErrors) {
        try self.init(given, after: [], reusing: [], and: [])
    }

    /// Tries everything, so that every error is told at once.
    ///
    /// - Parameters:
    ///   - earlier: what is known to be wrong already.
    ///   - running: listeners of a daemon that reads its settings again, or of a predecessor; those that are still wanted are
    ///     taken over.
    ///   - open: doors of a predecessor, the same; `nil` if there is nothing to be done with doors.
    ///   - known: made of the same files.
    init(
        _ given: Settings, after earlier: [StartError], reusing running: [BoundPlace], and open: [Door]?,
        keeping known: TLSContext? = nil
    ) throws(StartErrors) {
        var errors = earlier
        settings = Self.completed(given, &errors)

        let (sink, logDescriptor) = Self.sink(settings, &errors)
        let level = settings.logLevel
        logger = Logger(label: "imapd", factory: { _ in EventLogHandler(sink: sink, level: level) })
        self.logDescriptor = logDescriptor

        // Whether things are right can be asked by anybody, and while a server runs.
        let isChecking = settings.information != nil
        if settings.fork, geteuid() != 0, !isChecking {
            errors.append(.noPermission("--fork needs root: start it with sudo, or leave --fork out"))
        }
        accounts = AccountChoice(settings, &errors)
        gateAccount = settings.fork ? Self.gateAccount(settings, &errors) : nil
        sandbox = Self.sandbox(settings, &errors)
        certificates = FileWatch(settings.certificateFiles)
        tls = known ?? Self.makeTLS(settings, &errors)
        store = Self.makeStore(settings, logger)
        // Who is about to succeed tries that too.
        let isBinding = !isChecking || settings.estate != nil
        bound = isBinding ? Self.listen(settings, reusing: running, &errors) : []
        if isBinding, let open {
            doors = settings.openDoors(reusing: open, &errors, &doorWarnings)
        } else {
            doors = []
        }
        if !isChecking {
            for listener in bound.flatMap(\.listeners) { listener.keepAlive(after: settings.keepalive) }
        }
        if errors.isEmpty, tls == nil, bound.contains(where: { $0.listeners.contains(where: \.usesImplicitTLS) }) {
            errors.append(.configuration("the service manager has a socket for TLS, and there is no certificate: set tls = yes"))
        }

        guard errors.isEmpty else {
            withdraw(but: open ?? [])
            throw StartErrors(errors: errors)
        }
    }

    /// Nothing of what was made stays, but for these.
    func withdraw(but kept: [Door]) {
        for door in doors where !kept.contains(where: { $0 === door }) { door.remove() }
    }

    /// What was left open is decided, what does not go together is told.
    private static func completed(_ given: Settings, _ errors: inout [StartError]) -> Settings {
        var settings = given
        settings.storage = given.storage ?? (given.fork ? .maildir : .memory)
        if settings.fork, settings.storage == .memory {
            errors.append(.usage("--fork cannot serve --storage memory, which is one process's: leave one of them out, or the "
                                     + "settings of a mail host with --config /dev/null"))
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
        let traces = settings.traceDirectory ?? Settings.defaultTraceDirectory
        if !settings.traced.isEmpty, access(traces + "/.", F_OK) != 0 {
            errors.append(settings.error(in: "trace", "there is no directory \(traces); make it with mkdir -m 700"))
        }
        if settings.wantsTLS {
            if given.certificates.isEmpty { settings.certificates = [Settings.defaultCertificate] }
            if given.keys.isEmpty { settings.keys = [Settings.defaultKey] }
        }
        let name = given.listen.isEmpty ? "listen-tls" : "listen"
        if !(given.listen.isEmpty && given.listenTLS.isEmpty), given.port != nil || !given.hosts.isEmpty {
            errors.append(settings.error(in: name, "it says what host and port say: leave one of them out"))
        }
        return settings
    }

    private static func sink(_ settings: Settings, _ errors: inout [StartError]) -> (any LogSink, Int32?) {
        let text = StandardErrorSink(format: settings.logFormat)
        let sink: (any DatagramSink)?
        switch settings.log {
        case .stderr: return (text, nil)
        case nil:
            // What the journal reads line by line it can also have field by field.
            sink = StandardErrorSink.isJournal && settings.logFormat == .text ? JournalSink(facility: settings.logFacility) : nil
        case .syslog:
            sink = SyslogSink(facility: settings.logFacility, format: settings.logFormat)
            if sink == nil {
                errors.append(settings.error(in: "log", "nobody listens at /dev/log; start a syslog daemon, or log to stderr"))
            }
        case .journal:
            sink = JournalSink(facility: settings.logFacility)
            if sink == nil { errors.append(settings.error(in: "log", "there is no journal here; log to stderr or syslog")) }
            if settings.logFormat == .json {
                errors.append(settings.error(in: "log-format", "the journal takes fields, and tells them as JSON itself"))
            }
        }
        guard let sink else { return (text, nil) }
        return (sink, sink.socket.descriptor)
    }

    private static func gateAccount(_ settings: Settings, _ errors: inout [StartError]) -> Account? {
        do throws(Errno) {
            if let name = settings.gateUser {
                guard let account = try Account(named: name) else {
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
            for name in ["imapd", "nobody"] {
                if let account = try Account(named: name), account.uid != 0 { return account }
            }
            errors.append(.configuration("there is no account for the gates: make one with useradd --system imapd"))
        } catch {
            errors.append(.system("name services do not tell of the gates' account: \(error)"))
        }
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
        guard settings.wantsTLS else { return nil }
        do throws(TLSContextError) {
            return try settings.makeTLS()
        } catch {
            for problem in error.problems {
                errors.append(.configuration("\(problem); name the right file with --cert, --key or --client-ca"))
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
        return MaildirProvider(
            path: path, separator: separator, expungeDelay: settings.expungeDelay.components.seconds,
            networkPoll: Int32(clamping: settings.networkPoll.components.seconds), logger: logger)
    }

    // MARK: - Listeners

    private static func listen(
        _ settings: Settings, reusing running: [BoundPlace], _ errors: inout [StartError]
    ) -> [BoundPlace] {
        // Sockets of the service manager are all that there are, and stay.
        if let handed = running.first(where: { $0.place == nil }) { return [handed] }
        let handed = SocketActivation.takeFromEnvironment(&errors)
        if !handed.isEmpty { return [BoundPlace(place: nil, listeners: handed)] }
        var bound: [BoundPlace] = []
        for place in settings.places {
            if let kept = running.first(where: { $0.place == place }) {
                bound.append(kept)
                continue
            }
            do throws(ListenError) {
                let listeners = try Listener.listen(host: place.host, port: place.port, implicitTLS: place.implicitTLS)
                bound.append(BoundPlace(place: place, listeners: listeners))
            } catch {
                errors.append(startError(error))
            }
        }
        return bound
    }

    private static func startError(_ error: ListenError) -> StartError {
        switch error {
        case .address(_, .permissionDenied):
            .noPermission("\(error); ports below 1024 need root: use sudo, or another port, such as --port 10143")
        case .address(_, .addressInUse):
            .unavailable("\(error); another server has that port: stop it, or use another port")
        case .unknownHost: .unavailable("\(error)")
        case .address, .descriptors: .unavailable("\(error)")
        }
    }
}

/// Listeners, and which of the settings' places they are for; `nil` for those that the service manager has handed over.
package struct BoundPlace {
    var place: Settings.Place?
    var listeners: [Listener]
}

/// Everything that keeps imapd from starting.
package struct StartErrors: Error {
    package var errors: [StartError]
}
