import Foundation
import IMAPGrammar
import TestSupport
import Testing

/// The manual, README.md and the examples say what the program does.
@Suite struct DocumentationTests {
    /// An option as it is called: "p,port=" takes a value, "tls" does not.
    typealias Option = String

    static func text(_ path: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Lines such as `  -p, --port PORT`.
    static func optionsOfHelp() async throws -> [Option] {
        let help = try await Program.imapd.run(["--help"])
        try #require(help.status == 0, "\(help)")
        return help.output.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /^ +(?:-(?<short>\w), )?--(?<name>[\w-]+)(?<value> [A-Z].*)?$/).map {
                ($0.short.map { "\($0)," } ?? "") + $0.name + ($0.value == nil ? "" : "=")
            }
        }
    }

    /// Each option is a setting of imapd.conf(5) or stands in imapd(8), and none in both.
    @Test func manualsHaveEveryOption() async throws {
        // Lines such as `.It Fl -config Ar file` and `.It Ic port No = Ar port`.
        let options = try Self.text("man/imapd.8").matches(of: #/(?m)^\.It Fl -(?<name>[\w-]+)(?<value> Ar .*)?$/#)
            .map { String($0.name) + ($0.value == nil ? "" : "=") }
        let settings = try Self.text("man/imapd.conf.5").matches(of: #/(?m)^\.It Ic (?<name>[\w-]+) No = (?<value>Ar|Cm)/#)
            .map { String($0.name) + ($0.value == "Ar" ? "=" : "") }
        let help = try await Self.optionsOfHelp().map { $0.split(separator: ",").last.map(String.init) ?? "" }
        #expect(options.count > 4 && settings.count > 10)
        #expect(settings + options == help)
    }

    @Test func manualHasEveryExitStatus() async throws {
        let help = try await Program.imapd.run(["--help"]).output.components(separatedBy: "Exit status:").last ?? ""
        let manual = try Self.text("man/imapd.8").components(separatedBy: ".Sh EXIT STATUS").last ?? ""
        let told = help.matches(of: #/(?m)^ +(\d+) /#).map(\.1)
        #expect(!told.isEmpty)
        #expect(manual.matches(of: #/(?m)^\.It (\d+)$/#).map(\.1) == told)
    }

    /// What is advertised has its row in STANDARDS, with "yes"; what has a row with "no" is not advertised.
    @Test func manualHasEveryCapability() throws {
        let rows = try Self.text("man/imapd.8").matches(of: #/\.It [\d\\(en]+ Ta (yes|in part|no) Ta (.+)/#)
        let words = { (here: Substring) in Set(rows.filter { $0.1 == here }.flatMap { $0.2.split { " ,;:()".contains($0) } }) }
        let advertised = Set(Capability.beforeLogin(startTLS: true, mechanisms: []) + Capability.afterLogin)
            .subtracting(["STARTTLS", "LOGINDISABLED"])
            .map { $0.hasPrefix("THREAD=") ? "THREAD" : Substring($0) }
        #expect(advertised.filter { !words("yes").contains($0) } == [])
        #expect(advertised.filter { words("no").contains($0) } == [])
    }

    /// Whoever copies a line gets a command that is understood.
    @Test(arguments: ["README.md", "man/imapd.8", "systemd/imapd.service", "certs-example/README.md"])
    func examplesUseWhatThereIs(_ path: String) async throws {
        let options = try await Self.optionsOfHelp().flatMap { $0.filter { $0 != "=" }.split(separator: ",") }
        let text = try Self.text(path).replacing(/\\e?\n/, with: " ")
        var count = 0
        for line in text.split(separator: "\n") {
            // The command line's end: behind the last word that is imapd.
            guard let command = line.matches(of: /(?:^|[\s=\/])imapd (?<arguments>-.*)/).last else { continue }
            for argument in command.arguments.split(separator: " ") {
                guard let name = argument.firstMatch(of: /^`?--?([a-z][a-z-]*)/)?.1 else { continue }
                #expect(options.contains(name), "\(path): \(line)")
                count += 1
            }
        }
        #expect(count > 1)
    }

    @Test(arguments: ["imapd.8", "imapd.conf.5", "imapctl.8", "imapd-migrate.7", "imapd-neighbours.7"])
    func manualIsWellFormed(_ name: String) async throws {
        let manual = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../man/\(name)")
        let outcome = try await Program("mandoc", package: "mandoc").run(["-T", "lint", "-W", "all", manual.standardized.path])
        // Which other manuals are installed is the machine's affair.
        let complaints = outcome.output.split(separator: "\n").filter { !$0.contains("referenced manual not found") }
        #expect(complaints == [])
    }

    @Test(arguments: ["README.md", "ARCHITECTURE.md", "SECURITY.md", "certs-example/README.md"])
    func linksLeadSomewhere(_ path: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let directory = root.appendingPathComponent(path).deletingLastPathComponent()
        for link in try Self.text(path).matches(of: /\]\((?<target>[^)#:]+)\)/) {
            let target = directory.appendingPathComponent(String(link.target)).standardized.path
            #expect(FileManager.default.fileExists(atPath: target), "\(path): \(link.target)")
        }
    }
}
