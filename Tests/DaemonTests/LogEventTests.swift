import Foundation
import Testing

/// imapd(8) lists the events that the log tells, and no others.
@Suite struct LogEventTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized

    @Test func manualListsEvents() throws {
        let manual = try String(contentsOf: Self.root.appendingPathComponent("man/imapd.8"), encoding: .utf8)
        let section = try #require(manual.components(separatedBy: ".Ss Log\n").last?.components(separatedBy: "\n.El").first)
        var listed: [String: Set<String>] = [:]
        for line in section.split(separator: "\n") where line.hasPrefix(".It ") && !line.contains("Sy event") {
            let cells = line.dropFirst(4).components(separatedBy: " Ta ")
            try #require(cells.count == 3, "\(line)")
            listed[cells[0]] = Set(cells[1].components(separatedBy: ", "))
        }
        var told: [String: Set<String>] = [:]
        for module in ["Daemon", "IMAPServer", "IMAPSession", "Gate"] {
            let directory = Self.root.appendingPathComponent("Sources/\(module)")
            let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)!
            for case let file as URL in files where file.pathExtension == "swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                let event = /(?:ogger\.|LogRecord\(\.)(trace|debug|info|notice|warning|error|critical)(?:\(\s*|, )"([^"\\]+)"/
                for match in text.matches(of: event) {
                    told[String(match.2), default: []].insert(String(match.1))
                }
            }
        }
        #expect(told.count > 30)
        #expect(listed == told, "\(Set(listed.keys).symmetricDifference(told.keys))")
    }
}
