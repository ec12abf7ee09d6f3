import Logging

/// Where events go.
protocol LogSink: Sendable {
    func write(_ record: LogRecord)
}

/// Gathers what belongs to an event, and passes it on.
struct EventLogHandler: LogHandler {
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
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { $1 } }
        if let error = event.error { fields["error"] = "\(error)" }
        sink.write(LogRecord(event.level, "\(event.message)", fields))
    }
}
