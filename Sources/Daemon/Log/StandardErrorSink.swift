import Glibc

/// Lines on the standard error stream, each in one write: with time, level and process, or as JSON.
struct StandardErrorSink: LogSink {
    let format: Settings.LogFormat

    /// Whether the journal reads the stream (systemd.exec(5)). Found out once, while there is an environment.
    static let isJournal: Bool = {
        var status = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(2, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }()

    init(format: Settings.LogFormat = .text) {
        self.format = format
        _ = Self.isJournal
    }

    func write(_ record: LogRecord) {
        let text = switch format {
        case .json: record.json(at: LogTime.utc(), process: getpid())
        // The journal knows time and process, and takes the level from the line (sd-daemon(3)).
        case .text where Self.isJournal: "<\(record.level.severity)>\(record.line)"
        case .text: "\(LogTime.utc()) imapd[\(getpid())] \(record.level.rawValue): \(record.line)"
        }
        var bytes = Array(text.utf8)
        bytes.append(0x0A)
        _ = bytes.withUnsafeMutableBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
}
