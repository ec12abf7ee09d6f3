import Authentication
import CLinux
import Gate
import Glibc
import IMAPSession
import Logging
import MailStore
import Maildir
import SystemPackage
import Transport

/// Plays a client's visit from greeting to LOGOUT, in the listener, before there are clients.
///
/// What Swift's runtime makes at first use (metadata of generic types, conformances that it has looked up) is then made once,
/// in pages that all children share, instead of by each of them for itself. A rehearsal that fails costs nothing else.
func rehearse(_ household: Household) {
    guard let directory = TemporaryMaildir(),
          let ends = try? Descriptor.streamPair().release()
    else { return }
    let client = fork()
    if client == 0 { playClient(ends.first, usesTLS: household.tls != nil) }
    close(ends.first)
    defer {
        if client > 0 {
            // It may wait for an answer that does not come.
            kill(client, SIGKILL)
            _ = ProcessEnd(waitingFor: client)
        }
    }
    let connection = Connection(descriptor: ends.second, shutdown: household.signals.end)

    // As a gate does it, of which no more than this is not played.
    let nobody = GateClient(socket: -1, usesImplicitTLS: household.tls != nil, isProxy: false, challenge: [0])
    var rules = GateClient(socket: -1, usesImplicitTLS: household.tls != nil, isProxy: false)
        .rules(nobody.rules(household.gateRules))
    rules.plaintextLogin = .always
    rules.mechanisms = SASL.ofPasswords
    rules.timeLimit = .seconds(10)
    let end = Gate(connection: connection, rules: rules, monitor: Doorman()).run()
    let logger = Logger(label: "rehearsal") { _ in SwiftLogNoOpLogHandler() }
    guard case .loggedIn(let readAhead) = end,
          let store = try? MaildirProvider(path: directory.path, logger: logger).openStore(user: "rehearsal", home: nil)
    else { return }
    let session = Session(connection: connection, store: store, user: "rehearsal", readAhead: readAhead, logger: logger)
    session.settings = household.sessionSettings(of: "rehearsal")
    session.run()
    connection.finish()
}

/// Somebody to talk with, who waits for answers, so that the server waits too.
private func playClient(_ socket: Int32, usesTLS: Bool) -> Never {
    RehearsalClient(socket: socket, usesTLS: usesTLS)?.run(script)
    _exit(0)
}

private let script = [
    RehearsalClient.Line(lines("""
        a CAPABILITY
        b ID NIL
        c LOGIN rehearsal rehearsal

        """), until: "c OK"),
    RehearsalClient.Line(lines("""
        d NAMESPACE
        e LIST "" "*"
        f STATUS INBOX (MESSAGES UIDNEXT UNSEEN)
        g APPEND INBOX (\\Seen) {38+}
        From: a@example.org
        Subject: b

        c

        h SELECT INBOX
        i UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM)] BODY.PEEK[])
        j UID SEARCH SUBJECT b UNSEEN
        k STORE 1 +FLAGS (\\Deleted)
        l EXPUNGE
        m IDLE

        """), until: "+ "),
    RehearsalClient.Line(lines("DONE\nn LOGOUT\n"), until: ""),
]

private func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
}

/// Lets everybody in, to a room in which there is nothing.
private final class Doorman: GateMonitor {
    func reveal(_ client: PeerAddress?) -> Notice? { nil }
    func secured(_ information: TLSInformation) {}
    func identified(_ client: String) {}
    func judge(_ attempt: LoginAttempt) -> Answer { Answer(.accepted, isLast: true) }
    func challenge(_ attempt: SCRAMAttempt) -> Answer { Answer(.unavailable, isLast: true) }
    func judge(clientFinal: [UInt8]) -> Answer { Answer(.unavailable, isLast: true) }
}

/// A Maildir that is removed when it is no longer needed.
private final class TemporaryMaildir {
    let path: String

    init?() {
        var template = Array("/tmp/imapd-XXXXXX".utf8CString)
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else { return nil }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        clinux_remove_tree(path)
    }
}
