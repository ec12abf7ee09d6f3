import IMAPSession
import Logging

extension SessionCounters {
    /// For the line of the log with which a session ends.
    ///
    /// - Parameters:
    ///   - received: bytes, as they were before TLS.
    ///   - sent: the same.
    public func metadata(_ end: SessionEnd, after time: Duration, received: UInt64, sent: UInt64) -> Logger.Metadata {
        [
            "reason": "\(end.reason)", "seconds": "\(time.components.seconds)", "received": "\(received)", "sent": "\(sent)",
            "commands": "\(commands)", "fetched": "\(fetched)", "bodies": "\(bodies)", "appended": "\(appended)",
            "copied": "\(copied)", "moved": "\(moved)", "expunged": "\(expunged)",
        ]
    }
}
