import Foundation
import TestSupport
import Testing

@testable import Daemon

/// imapd.conf(5) says what the table of settings says: its reference is made from the table.
@Suite struct SettingsManualTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    private static let manual = root.appendingPathComponent("man/imapd.conf.5").standardized

    /// After a change of the table: `WRITE_MANUAL=1 swift test --filter SettingsManualTests`.
    @Test func referenceIsTheTable() throws {
        let text = try String(contentsOf: Self.manual, encoding: .utf8)
        let (begin, end) = (".\\\" Settings, by SettingsManualTests\n", ".\\\" End of settings\n")
        let parts = text.components(separatedBy: begin)
        try #require(parts.count == 2)
        let rest = parts[1].components(separatedBy: end)
        try #require(rest.count == 2)
        let reference = SettingsReference.mdoc
        if ProcessInfo.processInfo.environment["WRITE_MANUAL"] != nil {
            try (parts[0] + begin + reference + end + rest[1]).write(to: Self.manual, atomically: true, encoding: .utf8)
        } else {
            #expect(rest[0] == reference, "WRITE_MANUAL=1 swift test --filter SettingsManualTests makes it anew")
        }
    }

    @Test("the example of a file can be read", arguments: ["man/imapd.conf.5"])
    func example(path: String) throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
        let examples = text.components(separatedBy: ".Sh EXAMPLES").last?.components(separatedBy: ".Bd -literal").dropFirst()
            .compactMap { $0.components(separatedBy: "\n.Ed").first?.drop { $0 != "\n" } } ?? []
        #expect(!examples.isEmpty)
        for example in examples {
            let content = ConfigurationFile.parse(Array(example.replacing("\\e", with: "\\").utf8), path: "example")
            #expect(content.errors == [])
            #expect(!content.assignments.isEmpty)
            for assignment in content.assignments {
                var settings = Settings()
                #expect(throws: Never.self) { try assignment.setting.set(&settings, assignment.text) }
            }
        }
    }
}

/// The table of settings in mdoc(7).
private enum SettingsReference {
    static var mdoc: String {
        Setting.all.filter { !$0.traits.contains(.commandLineOnly) }.map(item).joined()
    }

    private static func item(_ setting: Setting) -> String {
        var text = ".It Ic \(setting.name) No = "
        text += setting.value.map { "Ar \($0.lowercased().replacing(":", with: " : Ns Ar "))" } ?? "Cm yes | no"
        text += "\n" + paragraph(setting.documentation)
        if let details = setting.details { text += paragraph(details) }
        if setting.isList { text += "May be repeated.\n" }
        if setting.traits.contains(.needsFork) { text += "Needs\n.Ic fork .\n" }
        if setting.traits.contains(.needsRestart) { text += "A change needs a restart.\n" }
        if !setting.standard.isEmpty { text += paragraph("The default is \(setting.standard).") }
        if let short = setting.short { text += "As an option also\n.Fl \(short) .\n" }
        return text
    }

    /// A sentence begins a line, and so does a macro.
    private static func paragraph(_ text: String) -> String {
        var lines = ""
        var line = ""
        func flush() {
            if !line.isEmpty { lines += line + "\n" }
            line = ""
        }
        var words = text.replacing("\\", with: "\\e").split(separator: " ")[...]
        while var word = words.popFirst() {
            if word.first == "`", !word.dropFirst().contains("`") {
                while let next = words.popFirst() {
                    word += " " + next
                    if next.contains("`") { break }
                }
            }
            if let match = word.wholeMatch(of: /`(?<literal>[^`]+)`(?<end>[,.;:]?)/) {
                flush()
                // A dot at the end would be taken for the sentence's.
                let text = "\(match.literal)" + (match.literal.last == "." ? "\\&" : "")
                let literal = text.contains(" ") ? "\"\(text)\"" : text
                lines += ".Ql \(literal)\(match.end.isEmpty ? "" : " \(match.end)")\n"
            } else if let match = word.wholeMatch(of: /--(?<name>[a-z0-9-]+)(?<end>[,.;:]?)/) {
                flush()
                lines += ".Ic \(match.name)\(match.end.isEmpty ? "" : " \(match.end)")\n"
            } else if let match = word.wholeMatch(of: /(?<path>\/[^ ]*[a-z])(?<end>[,.;:]?)/) {
                flush()
                lines += ".Pa \(match.path)\(match.end.isEmpty ? "" : " \(match.end)")\n"
            } else {
                if line.count + word.count + 1 > 78 { flush() }
                line += (line.isEmpty ? "" : " ") + word
                if word.last == "." { flush() }
            }
        }
        flush()
        return lines
    }
}
