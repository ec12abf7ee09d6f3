import Authentication
import CPAM
import Glibc
import Privilege

/// One conversation with PAM, from `pam_start` to `pam_end`: for a process of its own, since nobody knows what modules leave
/// behind in memory.
public enum PAM {
    public struct Failure: Error {
        public var verdict: Verdict
        /// PAM's own words, for the log.
        public var reason: String
    }

    /// Authenticates and checks the account. With `opensSession`, also establishes its credentials, and opens a PAM session and
    /// closes it again: modules that prepare an account (`pam_mkhomedir`) do so, but what they would do when the user's mail
    /// session really ends, they do now.
    ///
    /// - Parameter peer: the client's address.
    /// - Returns: the user, as PAM's modules spell it.
    public static func logIn(
        _ credentials: Credentials, service: AccountDirectory.PAMService, peer: String
    ) throws(Failure) -> String {
        try credentials.password.withCString { (password) throws(Failure) in
            try run(credentials.user, password: password, service: service, peer: peer)
        }
    }

    /// The same for somebody who has shown otherwise who he is: no module is asked whether that is so.
    public static func admit(_ user: String, service: AccountDirectory.PAMService, peer: String) throws(Failure) -> String {
        try run(user, password: nil, service: service, peer: peer)
    }

    private static func run(
        _ user: String, password: UnsafePointer<CChar>?, service: AccountDirectory.PAMService, peer: String
    ) throws(Failure) -> String {
        let conversation = UnsafeMutablePointer<pam_conv>.allocate(capacity: 1)
        defer { conversation.deallocate() }
        conversation.initialize(to: pam_conv(conv: converse, appdata_ptr: UnsafeMutableRawPointer(mutating: password)))
        if let prepared = PreparedPAM.take(service) {
            var attempt = Attempt(handle: prepared.handle, library: prepared.library)
            try attempt.adopt(conversation, user: user)
            return try attempt.run(peer: peer, asksForPassword: password != nil, opensSession: service.opensSession)
        }
        guard let library else { throw Failure(verdict: .unavailable, reason: "libpam cannot be loaded") }
        var handle: OpaquePointer?
        let status = start(service, user: user, conversation, &handle)
        guard status == PAM_SUCCESS, let handle else {
            throw Failure(verdict: .unavailable, reason: "pam_start: \(words(status, nil, library))")
        }
        var attempt = Attempt(handle: handle, library: library)
        return try attempt.run(peer: peer, asksForPassword: password != nil, opensSession: service.opensSession)
    }

    /// pam_start(3), which reads the service's configuration and loads what it names.
    static func start(
        _ service: AccountDirectory.PAMService, user: String?, _ conversation: UnsafePointer<pam_conv>,
        _ handle: inout OpaquePointer?
    ) -> Int32 {
        guard let library else { return PAM_OPEN_ERR }
        guard let directory = service.directory else { return library.start(service.name, user, conversation, &handle) }
        return library.start_confdir(service.name, user, conversation, directory, &handle)
    }

    /// Linux-PAM; `nil` if it cannot be loaded. Asked for where PAM is asked only, as it stays.
    static let library: cpam? = {
        withUnsafeTemporaryAllocation(of: cpam.self, capacity: 1) { functions in
            cpam_load(functions.baseAddress!) == 0 ? functions[0] : nil
        }
    }()

    private static func words(_ status: Int32, _ handle: OpaquePointer?, _ library: cpam) -> String {
        library.strerror(handle, status).map { String(cString: $0) } ?? "\(status)"
    }

    private struct Attempt: ~Copyable {
        let handle: OpaquePointer
        let library: cpam
        var status = PAM_SUCCESS
        private let silent = Int32(bitPattern: UInt32(PAM_SILENT))

        init(handle: OpaquePointer, library: cpam) {
            self.handle = handle
            self.library = library
        }

        deinit { _ = library.end(handle, status) }

        /// For a handle that was made before it was known for whom.
        mutating func adopt(_ conversation: UnsafePointer<pam_conv>, user: String) throws(Failure) {
            try must("pam_set_item", library.set_item(handle, PAM_CONV, conversation))
            try must("pam_set_item", library.set_item(handle, PAM_USER, user))
        }

        mutating func run(peer: String, asksForPassword: Bool, opensSession: Bool) throws(Failure) -> String {
            try must("pam_set_item", library.set_item(handle, PAM_RHOST, peer))
            try must("pam_set_item", library.set_item(handle, PAM_TTY, "imap"))
            let noDelay = unsafeBitCast(Self.noDelay, to: UnsafeRawPointer.self)
            try must("pam_set_item", library.set_item(handle, PAM_FAIL_DELAY, noDelay))

            if asksForPassword {
                try must("pam_authenticate", library.authenticate(handle, silent | Int32(PAM_DISALLOW_NULL_AUTHTOK)))
            }
            try must("pam_acct_mgmt", library.acct_mgmt(handle, silent | Int32(PAM_DISALLOW_NULL_AUTHTOK)))
            let user = try canonicalUser()
            guard opensSession else { return user }
            try must("pam_setcred", library.setcred(handle, silent | Int32(PAM_ESTABLISH_CRED)))
            defer { _ = library.setcred(handle, silent | Int32(PAM_DELETE_CRED)) }
            try must("pam_open_session", library.open_session(handle, silent))
            _ = library.close_session(handle, silent)
            return user
        }

        /// Modules ask for a delay after a failure, and PAM would sleep. The delay is our parent's, who delays every failure
        /// and blocks nobody.
        private static let noDelay: @convention(c) (Int32, UInt32, UnsafeMutableRawPointer?) -> Void = { _, _, _ in }

        private func canonicalUser() throws(Failure) -> String {
            var item: UnsafeRawPointer?
            guard library.get_item(handle, PAM_USER, &item) == PAM_SUCCESS, let item else {
                throw Failure(verdict: .unavailable, reason: "PAM names no user")
            }
            return String(cString: item.assumingMemoryBound(to: CChar.self))
        }

        private mutating func must(_ function: String, _ status: Int32) throws(Failure) {
            self.status = status
            guard status != PAM_SUCCESS else { return }
            throw Failure(
                verdict: PAM.verdict(status), reason: "\(function): \(PAM.words(status, handle, library))")
        }
    }

    /// What a status of PAM's means to somebody who wants to log in.
    static func verdict(_ status: Int32) -> Verdict {
        switch status {
        case PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES, PAM_CRED_INSUFFICIENT: .rejected
        case PAM_NEW_AUTHTOK_REQD, PAM_AUTHTOK_EXPIRED, PAM_ACCT_EXPIRED, PAM_CRED_EXPIRED: .expired
        case PAM_PERM_DENIED: .disabled
        default: .unavailable
        }
    }

    /// Answers every hidden question with the password; there is nobody to answer any other.
    private static let converse: @convention(c) (
        Int32, UnsafeMutablePointer<UnsafePointer<pam_message>?>?,
        UnsafeMutablePointer<UnsafeMutablePointer<pam_response>?>?, UnsafeMutableRawPointer?
    ) -> Int32 = { count, messages, answer, password in
        guard count > 0, count <= PAM_MAX_NUM_MSG, let messages, let answer, let password else { return PAM_CONV_ERR }
        // PAM frees these with free(3).
        guard let memory = calloc(Int(count), MemoryLayout<pam_response>.stride) else { return PAM_BUF_ERR }
        let responses = memory.bindMemory(to: pam_response.self, capacity: Int(count))
        for index in 0..<Int(count) {
            switch messages[index]?.pointee.msg_style {
            case PAM_PROMPT_ECHO_OFF: responses[index].resp = strdup(password.assumingMemoryBound(to: CChar.self))
            case PAM_ERROR_MSG, PAM_TEXT_INFO: continue
            default:
                for answered in 0..<index {
                    guard let text = responses[answered].resp else { continue }
                    explicit_bzero(text, strlen(text))
                    free(text)
                }
                free(memory)
                return PAM_CONV_ERR
            }
        }
        answer.pointee = responses
        return PAM_SUCCESS
    }
}
