import Logging

/// Where finished lines go.
protocol LogSink: Sendable {
    func write(_ level: Logger.Level, _ line: String)
}

/// One line for each event: what happened, then key=value, sorted by key, but peer first and user last.
///
/// Values come from strangers: whatever could end the line, or pass for another pair, is escaped.
struct LineLogHandler: LogHandler {
    let sink: any LogSink
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    init(sink: any LogSink, level: Logger.Level) {
        self.sink = sink
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var pairs = metadata
        if let more = event.metadata { pairs.merge(more) { $1 } }
        if let error = event.error { pairs["error"] = "\(error)" }
        sink.write(event.level, Self.line("\(event.message)", pairs))
    }

    static func line(_ message: String, _ pairs: Logger.Metadata) -> String {
        var line = escaped(message, quoting: false)
        for (key, value) in pairs.sorted(by: { (place($0.key), $0.key) < (place($1.key), $1.key) }) {
            line += " \(key)=\(escaped("\(value)", quoting: true))"
        }
        return line
    }

    /// Where it came from first, so that programs find it; last the user, which is whatever somebody has typed.
    private static func place(_ key: String) -> Int { key == "peer" ? 0 : key == "user" ? 2 : 1 }

    private static func escaped(_ text: String, quoting: Bool) -> String {
        var result = ""
        var isPlain = !text.isEmpty
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
                isPlain = false
            // Controls, and those that hide or reorder what stands around them.
            case "\0"..." ", "\u{7F}"..."\u{A0}", "\u{2000}"..."\u{206F}", "\u{FEFF}", "\u{FFF0}"..."\u{FFFB}":
                isPlain = false
                if scalar == " " { result += " " } else { result += "\\u{\(String(scalar.value, radix: 16))}" }
            case "=":
                isPlain = false
                result += "="
            default: result.unicodeScalars.append(scalar)
            }
        }
        return isPlain || !quoting ? result : "\"\(result)\""
    }
}
