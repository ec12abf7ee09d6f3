import Authentication
import Glibc

/// A password from the terminal, unseen, or the first line of standard input.
enum PasswordPrompt {
    /// A new one: the terminal is asked twice.
    static func read(for user: String) throws(ControlFailure) -> Secret {
        guard isatty(0) != 0 else { return try check(line(0)) }
        return try unseen { () throws(ControlFailure) in
            let first = try ask("New password for \(Output.safe(user)): "), second = try ask("Again: ")
            guard second.matches(first) else { throw ControlFailure("the two are not the same") }
            return first
        }
    }

    /// One that there is already.
    static func readOnce(_ question: String) throws(ControlFailure) -> Secret {
        guard isatty(0) != 0 else { return try check(line(0)) }
        return try unseen { () throws(ControlFailure) in try ask(question) }
    }

    private static func unseen(_ body: () throws(ControlFailure) -> Secret) throws(ControlFailure) -> Secret {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { throw ControlFailure("the terminal cannot be told not to show what is typed") }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(0, TCSAFLUSH, &silent)
        defer { tcsetattr(0, TCSAFLUSH, &settings) }
        return try body()
    }

    private static func ask(_ question: String) throws(ControlFailure) -> Secret {
        Output.write(question, to: 2)
        defer { Output.write("\n", to: 2) }
        return try check(line(0))
    }

    static func check(_ secret: Secret?) throws(ControlFailure) -> Secret {
        guard let secret, secret.count > 0 else { throw ControlFailure("there is no password") }
        guard Credentials(user: [UInt8(ascii: "x")], password: secret) != nil else {
            throw ControlFailure("a password has up to \(Credentials.longestPassword) bytes, and no NUL")
        }
        return secret
    }

    /// The next line, without its end.
    static func line(_ descriptor: Int32) -> Secret? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Credentials.longestPassword + 2)
        defer { bytes.wipe() }
        var byte: UInt8 = 0
        while bytes.count <= Credentials.longestPassword {
            let count = Glibc.read(descriptor, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return bytes.isEmpty ? nil : Secret(bytes) }
            if byte == UInt8(ascii: "\n") { break }
            bytes.append(byte)
        }
        return Secret(bytes)
    }
}
