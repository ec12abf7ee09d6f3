import Authentication
import Glibc
import IMAPServer
import SystemPackage
import Transport

/// The mode without root: a thread for each connection, every session with the daemon's own rights.
func runSingleProcess(_ preparation: Preparation) throws(StartErrors) {
    let settings = preparation.settings
    let logger = preparation.logger
    let server: Server
    let end: Int32
    do throws(Errno) {
        // SIGHUP: the terminal is gone, and nobody would know that we are still here.
        end = try Signals.descriptor(for: [SIGTERM, SIGINT, SIGHUP])
        server = try Server(
            listeners: preparation.listeners, store: preparation.store, authenticator: authenticator(settings),
            rules: preparation.rules, policy: preparation.policy, connectionLimit: settings.maxConnections,
            proxies: IPNetworkSet(settings.proxies), sessionSettings: { settings.session(of: $0) },
            trace: { TraceFile.open(for: $0, peer: $1, settings, $2) }, logger: logger)
    } catch {
        throw StartErrors(errors: [.system("cannot start: \(error)")])
    }
    resetSignals()
    // One process for everybody needs as many as it may have.
    limit(RLIMIT_NOFILE, to: .max)
    // The arguments may hold a password, which ps(1) shows to everybody.
    if settings.user != nil {
        ProcessTitle.prepare()
        ProcessTitle.set("server")
    }
    let pidFile = try settings.makePIDFile()
    defer { pidFile?.remove() }
    announce(preparation)
    let manager = ServiceManager.takeFromEnvironment()
    manager.ready(status: "Serving")
    server.run(until: end)
    manager.stopping()
    logger.notice("stopped")
}

/// Tells where imapd listens, in lines that a program can wait for.
///
/// - Parameter known: listeners of which it has been told before.
func announce(_ preparation: Preparation, but known: [Listener] = [], _ doors: [Door] = []) {
    for warning in preparation.warnings { preparation.logger.warning("\(warning)") }
    for lack in preparation.sandbox.missing { preparation.logger.warning("sandbox: this kernel has \(lack)") }
    if preparation.settings.sandbox == .off { preparation.logger.warning("sandbox: off") }
    for listener in preparation.listeners where !known.contains(where: { $0 === listener }) {
        let kind = listener.usesImplicitTLS ? "tls" : preparation.tls != nil ? "starttls" : "none"
        preparation.logger.notice("listening", metadata: ["address": "\(listener.address)", "tls": "\(kind)"])
    }
    for door in preparation.doors where !doors.contains(where: { $0 === door }) {
        preparation.logger.notice("answering", metadata: ["address": "\(door.address)", "kind": "\(door.kind)"])
    }
}

private func authenticator(_ settings: Settings) -> StaticPassword {
    if let user = settings.user { return StaticPassword(user: user.name, password: user.password) }
    let letters = Array("abcdefghijkmnpqrstuvwxyz23456789")
    let password = String((0..<12).map { _ in letters.randomElement()! })
    // To the terminal, never to the log.
    var line = Array("Log in with any user name and the password \(password)\n".utf8)
    _ = line.withUnsafeMutableBytes { write(1, $0.baseAddress, $0.count) }
    return StaticPassword(user: nil, password: password)
}
