import Foundation
import Testing
import TestSupport

/// The manual says what imapctl does.
@Suite struct ManualTests {
    static func subcommands(_ words: [String] = []) async throws -> [[String]] {
        let help = try await Program.imapctl.run(words + ["--help"])
        try #require(help.status == 0, "\(help)")
        guard let list = help.output.components(separatedBy: "SUBCOMMANDS:").dropFirst().first else { return [words] }
        var found: [[String]] = []
        for match in list.matches(of: #/(?m)^  ([a-z-]+)\b/#) where match.1 != "help" {
            found += try await subcommands(words + [String(match.1)])
        }
        return found
    }

    @Test func `The manual has every subcommand with all its options`() async throws {
        let path = #filePath.replacing("Tests/ControlTests/ManualTests.swift", with: "man/imapctl.8")
        let manual = try String(contentsOfFile: path, encoding: .utf8)
        let options = Set(manual.matches(of: #/(?m)^\.It (?:Fl \w , )?Fl -([a-z-]+)/#).map(\.1))
        let commands = try await Self.subcommands()
        #expect(commands.count > 2)
        var told: Set<Substring> = []
        for words in commands {
            #expect(manual.contains(".Cm \(words.joined(separator: " "))\n"), "\(words)")
            let help = try await Program.imapctl.run(words + ["--help"]).output
            let known = Set(help.matches(of: #/(?m)^  (?:-\w, )?--([a-z-]+)/#).map(\.1)).subtracting(["help", "version"])
            #expect(known.subtracting(options) == [], "\(words)")
            told.formUnion(known)
        }
        #expect(options.subtracting(told) == [])
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func `Shells get their completions`(_ shell: String) async throws {
        let outcome = try await Program.imapctl.run(["--generate-completion-script", shell])
        #expect(outcome.status == 0 && outcome.output.contains("rebuild") && outcome.output.contains("maildir-path"))
    }
}
