import Authentication
import Glibc
import Privilege
import SystemPackage

/// Who may log in on a mail host: the users of a password file, and those of PAM.
///
/// Somebody who is in the file with a password is asked for that one, and PAM does not hear of it. Somebody who has only app
/// passwords there may use these, or the one that PAM knows.
public struct AccountDirectory: Sendable {
    public struct PAMService: Sendable, Equatable {
        public var name: String
        /// Instead of `/etc/pam.d`.
        public var directory: String?
        /// Whether whoever logs in gets credentials and a session, which ends at once.
        public var opensSession = false

        public init(name: String, directory: String? = nil, opensSession: Bool = false) {
            self.name = name
            self.directory = directory
            self.opensSession = opensSession
        }
    }

    public var passwordFile: PasswordFile?
    /// `nil`: nobody but those in the file.
    public var pam: PAMService?
    /// What may follow a user's name, after "@"; in small letters. "*": anything.
    public var domains: [String] = []
    /// Accounts of the system with a smaller uid cannot log in; root never can.
    public var firstValidUID: uid_t = 1000
    /// Where is noted when app passwords were last used.
    public var passwordUse: PasswordUse?

    public init(passwordFile: PasswordFile? = nil, pam: PAMService?) {
        self.passwordFile = passwordFile
        self.pam = pam
    }

    /// Whose account it is.
    public struct Accepted: Sendable, Equatable {
        public var account: Account
        /// Of the app password that was used.
        public var label: String?
        /// What SCRAM tells the client at last.
        public var serverFinal: [UInt8] = []

        public init(account: Account, label: String? = nil, serverFinal: [UInt8] = []) {
            self.account = account
            self.label = label
            self.serverFinal = serverFinal
        }
    }

    /// Nobody gets in. `reason` is for the log.
    public struct Refused: Error {
        public var verdict: Verdict
        public var reason: String

        init(_ verdict: Verdict, _ reason: String) {
            self.verdict = verdict
            self.reason = reason
        }
    }

    // MARK: - Passwords

    /// - Parameter peer: the client's address.
    public func logIn(_ credentials: Credentials, peer: String) throws(Refused) -> Accepted {
        let name = LoginName(credentials.user, domains: domains, hasLabels: passwordFile != nil)
        if let entry = try entry(of: name) {
            let candidates = entry.passwords(name.label)
            for line in candidates where line.password.matches(credentials.password) { return try accept(line, entry) }
            if name.label != nil || entry.user != nil || pam == nil {
                // It takes as long to find out that there is nobody.
                if candidates.isEmpty { _ = entry.firstPassword?.matches(credentials.password) }
                throw Refused(.rejected, entry.isEmpty ? "not in the password file" : "wrong password")
            }
        }
        guard let pam else { throw Refused(.rejected, "not in the password file") }
        guard let credentials = Credentials(user: Array(name.user.utf8), password: credentials.password) else {
            throw Refused(.rejected, "no name")
        }
        let user: String
        do throws(PAM.Failure) {
            user = try PAM.logIn(credentials, service: pam, peer: peer)
        } catch {
            throw Refused(error.verdict, error.reason)
        }
        return Accepted(account: try systemAccount(user))
    }

    // MARK: - Certificates

    /// Somebody whose name a certificate says. No password is asked for, so that one that is locked does not matter; PAM has a
    /// say about the system's accounts.
    public func logIn(certifiedAs user: String, peer: String) throws(Refused) -> Accepted {
        let name = LoginName(user, domains: domains, hasLabels: false)
        guard Credentials(user: Array(name.user.utf8), password: Secret([])) != nil else { throw Refused(.rejected, "no name") }
        if let line = try entry(of: name)?.user, line.owner != nil || pam == nil { return Accepted(account: try account(line)) }
        guard let pam else { throw Refused(.rejected, "not in the password file") }
        let admitted: String
        do throws(PAM.Failure) {
            admitted = try PAM.admit(name.user, service: pam, peer: peer)
        } catch {
            throw Refused(error.verdict, error.reason)
        }
        return Accepted(account: try systemAccount(admitted))
    }

    // MARK: - SCRAM

    /// The server's first message. Who is not there gets one too.
    public func challenge(_ opening: SCRAMOpening) throws(Refused) -> [UInt8] {
        SCRAM.challenge(to: opening, try verifier(opening.user).verifier)
    }

    public func finish(
        _ opening: SCRAMOpening, challenge: [UInt8], clientFinal: [UInt8], binding: [UInt8]
    ) throws(Refused) -> Accepted {
        let (verifier, line, entry) = try verifier(opening.user)
        let serverFinal = SCRAM.serverFinal(
            opening, challenge: challenge, clientFinal: clientFinal, binding: binding, verifier)
        guard let serverFinal, let line else { throw Refused(.rejected, line == nil ? "no SCRAM password" : "wrong password") }
        var accepted = try accept(line, entry)
        accepted.serverFinal = serverFinal
        return accepted
    }

    private func verifier(
        _ user: String
    ) throws(Refused) -> (verifier: SCRAMVerifier, line: PasswordLine?, entry: PasswordFile.Entry) {
        let name = LoginName(user, domains: domains, hasLabels: true)
        // Clients send names as SASLprep makes them (RFC 5802 §5.1), and names are written so in the file.
        guard let entry = try entry(of: name) else { throw Refused(.unavailable, "SCRAM without a password file") }
        let line = name.label == nil ? entry.user : entry.passwords(name.label).first
        if case .scram(let verifier) = line?.password { return (verifier, line, entry) }
        var iterations = SCRAMVerifier.allowedIterations.lowerBound
        if case .scram(let other) = entry.firstPassword { iterations = other.iterations }
        return (SCRAMVerifier(decoyFor: user, key: Self.decoyKey(), iterations: iterations), nil, entry)
    }

    /// Always the same on this machine, and not known outside.
    private static func decoyKey() -> [UInt8] {
        let file = open("/etc/machine-id", O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = file < 0 ? 0 : max(0, read(file, &bytes, bytes.count))
        return Array("imapd SCRAM decoy ".utf8) + bytes.prefix(count)
    }

    // MARK: - Accounts

    private func entry(of name: LoginName) throws(Refused) -> PasswordFile.Entry? {
        guard let passwordFile else { return nil }
        do throws(PasswordFile.Unreadable) {
            return try passwordFile.entry(of: name.user)
        } catch {
            throw Refused(.unavailable, "\(passwordFile.path): \(error.reason)")
        }
    }

    private func accept(_ line: PasswordLine, _ entry: PasswordFile.Entry) throws(Refused) -> Accepted {
        if let expiry = line.expiry, expiry < .today { throw Refused(.expired, "the app password has expired") }
        let account = try account(entry.user ?? line)
        if let label = line.label { passwordUse?.note(user: line.user, label: label) }
        return Accepted(account: account, label: line.label)
    }

    private func account(_ line: PasswordLine) throws(Refused) -> Account {
        guard let owner = line.owner else { return try systemAccount(line.user) }
        return Account(name: line.user, uid: owner.uid, gid: owner.gid, groups: [owner.gid], home: owner.home)
    }

    /// Has the system's name services ready, for processes that are forked from this one: they load modules of their own.
    public static func loadNameServices() { _ = try? Account(named: "root") }

    private func systemAccount(_ user: String) throws(Refused) -> Account {
        let known: Account?
        do throws(Errno) {
            known = try Account(named: user)
        } catch {
            throw Refused(.unavailable, "name services: \(error)")
        }
        guard let account = known else { throw Refused(.disabled, "the system knows no such user") }
        guard account.uid != 0 else { throw Refused(.disabled, "root has no mail here") }
        guard account.uid >= firstValidUID else {
            throw Refused(.disabled, "uid \(account.uid) is below first-valid-uid")
        }
        return account
    }
}

extension PasswordFile.Entry {
    /// What may be tried for a name with this label. The user's own password comes last: its hash is slow on purpose.
    fileprivate func passwords(_ label: String?) -> [PasswordLine] {
        guard let label else { return appPasswords + (user.map { [$0] } ?? []) }
        return appPasswords.filter { $0.label == label }
    }
}

/// What a client sends as its user's name: `user`, `user/label` for one app password, either of them with a domain.
struct LoginName: Equatable {
    var user: String
    var label: String?

    /// - Parameters:
    ///   - domains: that are left out; "*" is any.
    ///   - hasLabels: whether "/" means anything.
    init(_ text: String, domains: [String], hasLabels: Bool) {
        user = text
        if let at = text.lastIndex(of: "@"), at > text.startIndex,
           domains.contains("*") || domains.contains(text[text.index(after: at)...].lowercased()) {
            user = String(text[..<at])
        }
        guard hasLabels, let slash = user.firstIndex(of: "/") else { return }
        label = String(user[user.index(after: slash)...])
        user = String(user[..<slash])
    }
}
