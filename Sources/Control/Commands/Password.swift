import ArgumentParser
import Authentication
import Daemon
import Glibc
import SystemAuthentication

struct Password: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after imapd's password file: users, and app passwords.",
        discussion: "A change counts from the next login on. Passwords are read from the terminal, or from standard input.",
        subcommands: [Set.self, App.self, List.self, Remove.self, Lock.self])

    /// Which file.
    struct FileOptions: ParsableArguments {
        @OptionGroup var configuration: ConfigurationOptions

        @Option(name: .customLong("file"), help: ArgumentHelp(
            "The file, instead of imapd's setting password-file.", valueName: "file"))
        var chosenFile: String?

        @Option(name: .customLong("password-use"), help: ArgumentHelp(
            "Where the last use of app passwords is noted, instead of imapd's setting.", valueName: "directory"))
        var chosenUse: String?

        /// Options over the settings.
        func resolve() throws(ControlFailure) -> PasswordPlaces {
            if let chosenFile, let chosenUse { return PasswordPlaces(file: chosenFile, passwordUse: chosenUse) }
            let settings = try configuration.settings()
            return PasswordPlaces(file: chosenFile ?? settings.passwordFile ?? "/etc/imapd/users",
                                  passwordUse: chosenUse ?? settings.passwordUseDirectory)
        }
    }

    struct PasswordPlaces {
        let file: String
        let passwordUse: String

        var passwords: PasswordFile { PasswordFile(path: file) }
        var use: PasswordUse { PasswordUse(directory: passwordUse) }

        func fail(_ error: PasswordFile.Unreadable) -> ControlFailure { ControlFailure("\(file): \(error.reason)") }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a user a password; makes the user if there is none of that name.")

        @OptionGroup var places: FileOptions
        @Argument(help: "The user's name, as in LOGIN.") var user: String
        @Option(help: "The user ID of the user's processes.") var uid: UInt32?
        @Option(help: "Their group ID; the user ID, if it is not given.") var gid: UInt32?
        @Option(help: ArgumentHelp("Where the user's mail is.", valueName: "directory")) var home: String?
        @Flag(help: """
            Keep what crypt(3) makes (yescrypt) and not what SCRAM needs: slower to guess, but only good for PLAIN and LOGIN.
            """)
        var crypt = false
        @Option(help: "How often SCRAM's hash is repeated: what makes guessing slow, and each login of a client.")
        var iterations = 65_536

        func validate() throws {
            guard SCRAMVerifier.allowedIterations.contains(iterations) else {
                throw ValidationError("--iterations is from 4096 to 10000000.")
            }
            try checkName(user)
            guard (uid == nil) == (home == nil), gid == nil || uid != nil else {
                throw ValidationError("--uid and --home go together: whose processes, and where the mail is.")
            }
            if uid == 0 { throw ValidationError("--uid: nobody's mail belongs to root.") }
            if let home, home.first != "/" || home.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: ":") }) {
                throw ValidationError("--home is an absolute path without colons and control characters.")
            }
        }

        func run() throws {
            try command { () throws(ControlFailure) in
                let options = try places.resolve()
                let password = try PasswordPrompt.read(for: user)
                let stored = crypt ? StoredPassword.yescrypt(password) : .scram(password, iterations: iterations)
                guard let stored else { throw ControlFailure("crypt(3) takes no password like this: it is too long") }
                do throws(PasswordFile.Unreadable) {
                    var owner: PasswordLine.Owner?
                    if let uid, let home {
                        owner = .init(uid: uid, gid: gid ?? uid, home: home)
                    } else if access(options.file, F_OK) == 0 {
                        owner = try options.passwords.entry(of: user).user?.owner
                    }
                    try options.passwords.set(PasswordLine(user: user, password: stored, owner: owner))
                } catch {
                    throw options.fail(error)
                }
                return Outcome.clean
            }
        }
    }

    struct App: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes an app password, and shows it, once.",
            discussion: "The user may be one of the file or one of the system.")

        @OptionGroup var places: FileOptions
        @OptionGroup var output: FormatOptions
        @Argument(help: "The user's name.") var user: String
        @Argument(help: "What it is for, such as a device: letters, digits, \".\", \"-\" and \"_\".") var label: String
        @Option(help: ArgumentHelp("The last day on which it is good, such as 2027-01-31.", valueName: "day"))
        var expires: String?

        func validate() throws {
            try checkName(user)
            guard PasswordLine.isLabel(label) else { throw ValidationError("\"\(Output.safe(label))\" cannot be a label.") }
            if let expires, Day(expires) == nil { throw ValidationError("--expires is a day like 2027-01-31.") }
        }

        func run() throws {
            try command { () throws(ControlFailure) in
                let options = try places.resolve()
                let password = Self.generate()
                let line = PasswordLine(
                    user: user, label: label,
                    // Nobody guesses it, however fast.
                    password: .scram(Secret(Array(password.utf8)), iterations: SCRAMVerifier.allowedIterations.lowerBound),
                    expiry: expires.flatMap { Day($0) })
                do throws(PasswordFile.Unreadable) {
                    try options.passwords.set(line)
                } catch {
                    throw options.fail(error)
                }
                options.use.forget(user: user, label: label)
                if output.json {
                    Output.line(JSON.object([
                        ("user", .string(user)), ("label", .string(label)), ("password", .string(password)),
                    ]).text)
                } else {
                    Output.line(password)
                }
                return Outcome.clean
            }
        }

        /// 100 random bits, in letters and digits that cannot be taken for each other.
        static func generate() -> String {
            let letters = Array("abcdefghijkmnpqrstuvwxyz23456789")
            var random = SystemRandomNumberGenerator()
            let groups = (0..<5).map { _ in String((0..<4).map { _ in letters.randomElement(using: &random)! }) }
            return groups.joined(separator: "-")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows who is in the file, and when app passwords were last used.")

        @OptionGroup var places: FileOptions
        @OptionGroup var output: FormatOptions
        @Argument(help: "The user whose app passwords are asked for; everybody, if there is none.") var user: String?

        func run() throws {
            try command { () throws(ControlFailure) in
                let options = try places.resolve()
                let lines: [PasswordLine], problems: [PasswordFile.Problem]
                do throws(PasswordFile.Unreadable) {
                    (lines, problems) = try options.passwords.contents()
                } catch {
                    throw options.fail(error)
                }
                for problem in problems {
                    Output.error(options.file + (problem.line.map { ":\($0)" } ?? "") + ": " + problem.reason)
                }
                let shown = lines.filter { user == nil || $0.user == user }
                if output.json {
                    Output.line(JSON.array(shown.map { object($0, options.use) }).text)
                } else {
                    table(shown, options.use).lines.forEach(Output.line)
                }
                return problems.isEmpty ? Outcome.clean : Outcome.problems
            }
        }

        private func lastUse(_ line: PasswordLine, _ use: PasswordUse) -> Int? {
            line.label.flatMap { use.last(user: line.user, label: $0) }
        }

        private func table(_ lines: [PasswordLine], _ use: PasswordUse) -> Table {
            var table = Table([
                ("USER", false), ("LABEL", false), ("KIND", false), ("UID", true), ("HOME", false), ("EXPIRES", false),
                ("LAST USED", false),
            ])
            for line in lines {
                table.add([
                    line.user, line.label ?? "-", line.password.kind, line.owner.map { "\($0.uid)" } ?? "-",
                    line.owner?.home ?? "-", line.expiry.map { "\($0)" } ?? "-",
                    lastUse(line, use).map { "\(Day(number: $0 / 86_400))" } ?? "-",
                ])
            }
            return table
        }

        private func object(_ line: PasswordLine, _ use: PasswordUse) -> JSON {
            .object([
                ("user", .string(line.user)), ("label", JSON(line.label)), ("kind", .string(line.password.kind)),
                ("uid", JSON(line.owner?.uid)), ("gid", JSON(line.owner?.gid)), ("home", JSON(line.owner?.home)),
                ("expires", JSON(line.expiry.map { "\($0)" })), ("last_used", JSON(lastUse(line, use))),
            ])
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes an app password, or a user with all app passwords. Mail stays.")

        @OptionGroup var places: FileOptions
        @Argument(help: "The user's name.") var user: String
        @Argument(help: "The label of the app password.") var label: String?

        func run() throws {
            try command { () throws(ControlFailure) in
                let options = try places.resolve()
                do throws(PasswordFile.Unreadable) {
                    guard try options.passwords.remove(user: user, label: label) else {
                        throw PasswordFile.Unreadable(reason: "there is no \(Output.safe(label.map { "\(user)/\($0)" } ?? user))")
                    }
                } catch {
                    throw options.fail(error)
                }
                if let label { options.use.forget(user: user, label: label) }
                return Outcome.clean
            }
        }
    }

    struct Lock: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a user's password away; app passwords and mail stay.")

        @OptionGroup var places: FileOptions
        @Argument(help: "The user's name.") var user: String

        func run() throws {
            try command { () throws(ControlFailure) in
                let options = try places.resolve()
                do throws(PasswordFile.Unreadable) {
                    guard var line = try options.passwords.entry(of: user).user else {
                        throw PasswordFile.Unreadable(reason: "there is no \(Output.safe(user))")
                    }
                    line.password = .locked
                    try options.passwords.set(line)
                } catch {
                    throw options.fail(error)
                }
                return Outcome.clean
            }
        }
    }
}

private func checkName(_ user: String) throws {
    guard PasswordLine.isName(user) else { throw ValidationError("\"\(Output.safe(user))\" cannot be a user's name.") }
    // Clients of SCRAM send it so (RFC 5802 §5.1).
    guard SASLprep.prepare(user.utf8) == Array(user.utf8) else {
        throw ValidationError("\"\(Output.safe(user))\" has letters that clients spell otherwise (SASLprep, RFC 4013).")
    }
}

extension StoredPassword {
    fileprivate var kind: String {
        switch self {
        case .crypt: "crypt"
        case .scram: "scram"
        case .locked: "locked"
        }
    }
}
