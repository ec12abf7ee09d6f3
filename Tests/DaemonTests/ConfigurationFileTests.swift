import Foundation
import Glibc
import TestSupport
import Testing

@testable import Daemon

/// imapd.conf(5): its lines, its mistakes, and what counts when an option says otherwise.
@Suite struct ConfigurationFileTests {
    private func parse(_ text: String) -> ConfigurationFile.Content {
        ConfigurationFile.parse(Array(text.utf8), path: "f")
    }

    private func pairs(_ text: String) -> [String] {
        parse(text).assignments.map { "\($0.setting.name)|\($0.text)" }
    }

    @Test("lines", arguments: [
        ("port = 143", ["port|143"]), ("port=143", ["port|143"]), ("  port\t=\t143  ", ["port|143"]),
        ("port = 143\r\n", ["port|143"]),
        ("", []), ("# port = 143", []), ("   # port", []), ("port = 143 # the usual", ["port|143"]),
        ("maildir-path = ~/Mail dir", ["maildir-path|~/Mail dir"]), ("maildir-path = ~/a#b", ["maildir-path|~/a#b"]),
        ("maildir-path = \" a # b \"", ["maildir-path| a # b "]),
        ("maildir-path = \"a\\\"b\\\\c\" # d", ["maildir-path|a\"b\\c"]),
        ("pam-service = a\"b\"", ["pam-service|a\"b\""]), ("host = a\nhost = b", ["host|a", "host|b"]),
        ("user = me:a=b", ["user|me:a=b"]), ("pam-service =", ["pam-service|"]), ("port = # none", ["port|"]),
    ])
    func lines(text: String, expected: [String]) {
        #expect(pairs(text) == expected)
        #expect(parse(text).errors == [])
    }

    @Test("mistakes, with their lines", arguments: [
        ("prot = 143", "f:1: there is no setting prot; did you mean port?"),
        ("\n\nmax_connections = 1", "f:3: there is no setting max_connections; did you mean max-connections?"),
        ("quota = 7", "f:1: there is no setting quota; see imapd.conf(5)"),
        ("port 143", "f:1: \"port 143\" is not NAME = VALUE"), ("= 143", "f:1: \"= 143\" is not NAME = VALUE"),
        ("a b = c", "f:1: \"a b = c\" is not NAME = VALUE"),
        ("tls = yes\nport = 1\ntls = no", "f:3: tls: it is set already, on line 1"),
        ("help = yes", "f:1: help is an option of the command line, not a setting"),
        ("pam-service = \"a", "f:1: the quotation mark at the end is missing"),
        ("pam-service = \"a\" b", "f:1: there is something after the quoted value: b"),
        ("pam-service = \"a\\b\"", "f:1: a backslash in a quoted value stands before a quotation mark or a backslash"),
    ])
    func mistakes(text: String, expected: String) {
        #expect(parse(text).errors == [.configuration(expected)])
    }

    @Test func bytesThatAreNoText() {
        let content = ConfigurationFile.parse(
            Array("port = 1\nhost = \u{FF}".utf8.dropLast()) + Array("\ntls = yes".utf8), path: "f")
        #expect(content.errors.map(\.line) == ["f:2: this is not UTF-8"])
        #expect(content.assignments.map(\.setting.name) == ["port", "tls"])
    }

    @Test("what is written is read", arguments: ["a", " a", "a ", "\"a", "#a", "a #b", "a\\b", "\"", "", "a \"b\" c", "\\"])
    func roundTrip(value: String) {
        #expect(pairs("pam-service = \(ConfigurationFile.written(value))") == ["pam-service|\(value)"])
    }

    // MARK: - With the command line

    private func read(_ text: String, _ options: String = "", mode: mode_t = 0o600) throws -> (Settings, [String]) {
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, mode)
        let (settings, errors) = SettingsReader.read(["--config", path] + options.split(separator: " ").map(String.init))
        return (settings, errors.map { $0.line.replacing(path, with: "f") })
    }

    @Test func optionsCountMore() throws {
        let (settings, errors) = try read("""
            port = 1143
            host = 192.0.2.1
            host = 192.0.2.2, 192.0.2.3
            cert = c.pem
            tls = yes
            """, "-p 2143 --host ::1 --tls=no")
        #expect(errors == [])
        #expect(settings.port == 2143)
        #expect(settings.hosts == ["::1"])
        #expect(settings.certificates == ["c.pem"])
        #expect(!settings.tls)
    }

    @Test("who says where to listen says all of it", arguments: [
        ("", "a:1"), ("-p 7", "localhost:7"), ("-h b", "b:143"), ("--listen-tls c", "c:993"), ("--tls", "a:1"),
    ])
    func addressesOfOneOrigin(options: String, expected: String) throws {
        let (settings, errors) = try read("listen = a:1", options)
        #expect(errors == [])
        #expect(settings.places.map { "\($0.host):\($0.port)" } == [expected])
    }

    @Test func listsOfTheFileAddUp() throws {
        let (settings, errors) = try read("host = a\nhost = b, c")
        #expect(errors == [])
        #expect(settings.hosts == ["a", "b", "c"])
    }

    @Test("every mistake is told at once, those of values that do not count too")
    func allErrors() throws {
        let (_, errors) = try read("port = x\nprot = 1\nlog = paper\nhost = a\nhost = ,", "-p 143 --host b --max-connections 0")
        #expect(errors.count == 5, "\(errors)")
        #expect(errors[0].hasPrefix("f:2: ") && errors[1].hasPrefix("f:1: port: ") && errors[2].hasPrefix("f:3: log: "))
        #expect(errors[3].hasPrefix("f:5: host: ") && errors[4].hasPrefix("--max-connections: "))
    }

    @Test("a password that others can read is worth a warning")
    func secretsOfAFile() throws {
        #expect(try read("user = me:secret", mode: 0o644).0.warnings.count == 1)
        #expect(try read("user = me:secret", mode: 0o640).0.warnings == [])
        #expect(try read("port = 1", mode: 0o644).0.warnings == [])
    }

    @Test func fileThatIsNotThere() {
        let (_, errors) = SettingsReader.read(["--config", "/nonexistent/imapd.conf"])
        #expect(errors.count == 1 && errors.first?.status == .configuration)
        #expect(ConfigurationFile.read("/nonexistent/imapd.conf", mayBeMissing: true).errors == [])
    }

    @Test("values with units", arguments: [
        ("180", 180), ("180s", 180), ("3m", 180), ("1h", 3600), ("0", nil), ("2h", nil), ("1w", nil), ("m", nil), ("-1m", nil),
        ("99999999999999999m", nil), ("1 m", nil),
    ] as [(String, Int?)])
    func times(text: String, seconds: Int?) throws {
        let (settings, errors) = try read("login-timeout = \(text)")
        #expect(errors.isEmpty == (seconds != nil))
        if let seconds { #expect(settings.loginTimeout == .seconds(seconds)) }
    }

    // MARK: - The program

    private func run(_ text: String, _ arguments: [String]) async throws -> Program.Outcome {
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o600)
        return try await Program.imapd.run(["--config", path] + arguments)
    }

    @Test func checkConfig() async throws {
        let certificate = try await Certificate()
        let right = try await run("cert = \(certificate.certificate)\nkey = \(certificate.key)\n", ["--check-config"])
        #expect(right.status == 0 && right.output == "" && right.errors == "", "\(right)")
        let wrong = try await run("prot = 1\nkey = /nonexistent/key.pem\ncert = \(certificate.certificate)\n", ["--check-config"])
        #expect(wrong.status == 78)
        #expect(wrong.errors.split(separator: "\n").count == 2, "\(wrong)")
        #expect(wrong.errors.contains(":1: there is no setting prot"))
        let option = try await run("", ["--check-config", "--prot=1"])
        #expect(option.status == 64)
    }

    @Test("settings are checked while another server has the port")
    func checkConfigBesideAServer() async throws {
        let daemon = try RunningDaemon(["-p", "0", "-h", "127.0.0.1"])
        let port = try await daemon.port()
        let outcome = try await run("port = \(port)\nhost = 127.0.0.1", ["--check-config"])
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test func showConfig() async throws {
        let outcome = try await run(
            "# a comment\nlogin-timeout = 90\nhost = a\nhost = b\nuser = me:secret", ["--show-config", "--log-level", "debug"])
        #expect(outcome.status == 0, "\(outcome)")
        let lines = outcome.output.split(separator: "\n").map {
            String($0.replacing(#/\s+/#, with: " ").replacing(#/# \/\S*\/imapd/#, with: "# imapd"))
        }
        for line: String in [
            "log-level = debug # option", "greeting = imapd ready # default",
            "login-timeout = 90 # imapd.conf:2", "host = a # imapd.conf:3", "host = b # imapd.conf:4",
            "failure-delay = 1s # default", "# user is set # imapd.conf:5", "log-format = text # default",
        ] {
            #expect(lines.contains(line), "\(line) in \(lines)")
        }
        #expect(!outcome.output.contains("secret"))
    }

    @Test("what is shown is a file that says the same")
    func showConfigAgain() async throws {
        let first = try await run("login-timeout = 90\nhost = a\nmaildir-path = \" #\"", ["--show-config"])
        let second = try await run(first.output, ["--show-config"])
        let values = { (outcome: Program.Outcome) in
            outcome.output.split(separator: "\n").map { $0.replacing(#/\s+# [^"]*$/#, with: "") }
        }
        #expect(values(first) == values(second))
        #expect(second.status == 0, "\(second)")
    }

    @Test func serverWithAFile() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("imapd.conf")
        try "host = 127.0.0.1\nport = 0\nuser = me:secret".write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o644)
        let daemon = try RunningDaemon(["--config", path])
        let client = try MailClient(port: try await daemon.port(), tls: false)
        _ = try client.line()
        #expect(try client.command("LOGIN me secret").last?.contains("OK") == true)
        #expect(daemon.log.contains("everybody can read"))
        #expect(!daemon.log.contains("me:secret"))
    }
}
