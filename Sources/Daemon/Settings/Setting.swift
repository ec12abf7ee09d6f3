import Logging

/// One thing that an administrator may choose, as the command line and the manual know it.
struct Setting: Sendable {
    /// What is wrong with a value; follows "--name: ".
    struct BadValue: Error {
        var reason: String
    }

    /// Without "--".
    let name: String
    let short: Character?
    /// What its value is called; `nil` for a switch, which takes "yes" and "no".
    let value: String?
    /// One sentence, and what holds when it is not set.
    let documentation: String
    let set: @Sendable (inout Settings, String) throws(BadValue) -> Void

    /// In the order of the manual.
    static let all: [Setting] = [
        Setting("port", "p", "PORT", "The one port to listen on; 0 lets the system choose. Default: 143 and, with --tls, 993.") {
            (settings, text) throws(BadValue) in settings.port = try number(text, in: 0...65535)
        },
        Setting("host", "h", "HOST",
                "A name or address to listen on, or * for all; may be repeated, or a list with commas. "
                    + "Default: all with --fork, else localhost.") { (settings, text) throws(BadValue) in
            for host in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard !host.isEmpty else { throw BadValue(reason: "a host is missing in \"\(text)\"") }
                // An IPv6 address may be in brackets, as in URLs.
                let isBracketed = host.first == "[" && host.last == "]" && host.count > 2
                settings.hosts.append(String(isBracketed ? host.dropFirst().dropLast() : host))
            }
        },
        Setting("storage", "s", "STORAGE",
                "Where mail is kept: memory or maildir. Default: maildir with --fork, else memory.") {
            (settings, text) throws(BadValue) in settings.storage = try choice(text)
        },
        Setting("maildir-path", nil, "PATH",
                "A user's Maildir; ~ is the home directory, %u the user's name. Default: ~/Maildir.") {
            (settings, text) throws(BadValue) in settings.maildirPath = try nonEmpty(text)
        },
        Setting("tls", nil, nil,
                "Offer TLS. Without --port: STARTTLS on 143 and TLS from the first byte on 993; "
                    + "with --port: TLS from the first byte.") {
            (settings, text) throws(BadValue) in settings.tls = try yesOrNo(text)
        },
        Setting("cert", nil, "FILE",
                "The PEM file with the certificate and those that vouch for it. Default: \(Settings.defaultCertificate). "
                    + "Given without --tls, STARTTLS is offered.") {
            (settings, text) throws(BadValue) in settings.certificate = try nonEmpty(text)
        },
        Setting("key", nil, "FILE", "The PEM file with the certificate's private key. Default: \(Settings.defaultKey).") {
            (settings, text) throws(BadValue) in settings.key = try nonEmpty(text)
        },
        Setting("fork", nil, nil,
                "Serve system users, each connection in processes of its own with the least rights. Needs root.") {
            (settings, text) throws(BadValue) in settings.fork = try yesOrNo(text)
        },
        Setting("user", nil, "NAME:PASSWORD",
                "Without --fork: the one user who may log in. Default: any name, with a password that is printed at start.") {
            (settings, text) throws(BadValue) in
            guard let colon = text.firstIndex(of: ":"), colon > text.startIndex, text.index(after: colon) < text.endIndex else {
                throw BadValue(reason: "NAME:PASSWORD is expected")
            }
            settings.user = Settings.User(name: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        },
        Setting("allow-plaintext-login", nil, nil,
                "Accept passwords without TLS. Default: no; but yes on loopback with --storage memory.") {
            (settings, text) throws(BadValue) in settings.allowPlaintextLogin = try yesOrNo(text)
        },
        Setting("pam-service", nil, "NAME", "The PAM service that decides who may log in. Default: imapd.") {
            (settings, text) throws(BadValue) in settings.pamService = try nonEmpty(text)
        },
        Setting("pam-confdir", nil, "DIRECTORY", "Where PAM's services are configured. Default: PAM's own, /etc/pam.d.") {
            (settings, text) throws(BadValue) in settings.pamConfdir = try nonEmpty(text)
        },
        Setting("gate-user", nil, "ACCOUNT",
                "The account that talks to strangers, with --fork. Default: imapd if there is one, else nobody.") {
            (settings, text) throws(BadValue) in settings.gateUser = try nonEmpty(text)
        },
        Setting("first-valid-uid", nil, "UID", "Accounts with a smaller uid cannot log in; 0 never can. Default: 1000.") {
            (settings, text) throws(BadValue) in settings.firstValidUID = try number(text, in: 1...(.max - 1))
        },
        Setting("max-connections", nil, "NUMBER", "Connections at one time. Default: 10000.") {
            (settings, text) throws(BadValue) in settings.maxConnections = try number(text, in: 1...1_000_000)
        },
        Setting("failure-delay", nil, "SECONDS",
                "How late a failed login is answered; each further one takes twice as long. Default: 1.") {
            (settings, text) throws(BadValue) in settings.failureDelay = .seconds(try number(text, in: 0...60) as Int)
        },
        Setting("login-timeout", nil, "SECONDS", "Time to log in. Default: 180.") {
            (settings, text) throws(BadValue) in settings.loginTimeout = .seconds(try number(text, in: 1...3600) as Int)
        },
        Setting("log", nil, "TARGET", "Where events are told: stderr or syslog. Default: stderr.") {
            (settings, text) throws(BadValue) in settings.log = try choice(text)
        },
        Setting("log-level", nil, "LEVEL", "From debug, info, notice, warning, error, critical. Default: info.") {
            (settings, text) throws(BadValue) in
            guard let level = Logger.Level(rawValue: text.lowercased()) else {
                throw BadValue(reason: "\"\(text)\" is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            settings.logLevel = level
        },
        Setting("help", nil, nil, "Show this, and end.") { (settings, text) throws(BadValue) in
            if try yesOrNo(text) { settings.information = .help }
        },
        Setting("version", nil, nil, "Show the version, and end.") { (settings, text) throws(BadValue) in
            if try yesOrNo(text) { settings.information = .version }
        },
    ]

    private init(
        _ name: String, _ short: Character?, _ value: String?, _ documentation: String,
        set: @escaping @Sendable (inout Settings, String) throws(BadValue) -> Void
    ) {
        self.name = name
        self.short = short
        self.value = value
        self.documentation = documentation
        self.set = set
    }

    // MARK: - Values

    private static func number<Number: FixedWidthInteger>(
        _ text: String, in range: ClosedRange<Number>
    ) throws(BadValue) -> Number {
        guard let number = Number(text), range.contains(number) else {
            throw BadValue(reason: "\"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func yesOrNo(_ text: String) throws(BadValue) -> Bool {
        switch text.lowercased() {
        case "yes": return true
        case "no": return false
        default: throw BadValue(reason: "\"\(text)\" is neither yes nor no")
        }
    }

    private static func nonEmpty(_ text: String) throws(BadValue) -> String {
        guard !text.isEmpty else { throw BadValue(reason: "a value is missing") }
        return text
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(_ text: String) throws(BadValue) -> Choice
    where Choice.RawValue == String {
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: " nor ")
            throw BadValue(reason: "\"\(text)\" is neither \(choices)")
        }
        return choice
    }
}
