import Authentication
import SystemAuthentication

/// Who may log in, and by which mechanisms, as the settings and the password file say.
struct AccountChoice {
    let directory: AccountDirectory
    let mechanisms: [SASL]
    /// What is wrong with the password file though the rest of it is good.
    let warnings: [String]

    init(_ settings: Settings, _ errors: inout [StartError]) {
        var directory = AccountDirectory(
            pam: settings.pam
                ? .init(name: settings.pamService, directory: settings.pamConfdir, opensSession: settings.pamSession) : nil)
        directory.domains = settings.loginDomains.map { $0.lowercased() }
        directory.firstValidUID = settings.firstValidUID
        directory.passwordUse = PasswordUse(directory: settings.passwordUse ?? Settings.defaultPasswordUse)
        var warnings: [String] = []
        var scramSuitsAll = !settings.fork
        if settings.fork, let path = settings.passwordFile {
            let file = PasswordFile(path: path)
            directory.passwordFile = file
            do throws(PasswordFile.Unreadable) {
                let (lines, problems) = try file.contents()
                warnings = problems.map { path + ($0.line.map { ":\($0)" } ?? "") + ": " + $0.reason }
                scramSuitsAll = !settings.pam && Self.scramSuits(lines)
            } catch {
                errors.append(settings.error(in: "password-file", "\(path): \(error.reason)"))
            }
        } else if settings.fork {
            if !settings.pam { errors.append(settings.error(in: "pam", "without PAM and a password file nobody can log in")) }
            if settings.mechanisms.contains(where: \.isSCRAM) {
                errors.append(settings.error(in: "sasl", "SCRAM needs --password-file: PAM cannot say what it has to know"))
            }
        } else if settings.passwordFile != nil {
            errors.append(settings.error(in: "password-file", "it is for --fork; one process serves the one --user"))
        }
        if settings.mechanisms.contains(.external), settings.clientAuthorities == nil {
            errors.append(settings.error(in: "sasl", "EXTERNAL needs --client-ca: somebody must vouch for clients' certificates"))
        }
        if settings.clientAuthorities != nil, !settings.wantsTLS {
            errors.append(settings.error(
                in: "client-ca", "clients show certificates in TLS, and there is none: give --tls or --cert"))
        }
        self.directory = directory
        self.warnings = warnings
        mechanisms = SASL.allCases.filter { mechanism in
            guard settings.mechanisms.isEmpty else { return settings.mechanisms.contains(mechanism) }
            return switch mechanism {
            case .external: settings.clientAuthorities != nil
            case .scram, .scramPlus: scramSuitsAll
            case .plain, .login: true
            }
        }
    }

    /// Whether everybody in the file who has a password has one for SCRAM.
    private static func scramSuits(_ lines: [PasswordLine]) -> Bool {
        !lines.isEmpty && lines.allSatisfy { line in
            switch line.password {
            case .scram, .locked: true
            case .crypt: line.label != nil
            }
        }
    }
}

extension SASL {
    var isSCRAM: Bool { self == .scram || self == .scramPlus }
}
