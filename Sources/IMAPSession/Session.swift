import IMAPGrammar
import Logging
import MailStore
import Transport

/// The Authenticated and Selected states (RFC 9051 §3.2, §3.3) of one connection.
public final class Session {
    /// - Parameters:
    ///   - readAhead: what the gate had read beyond the command that logged the client in.
    public init(connection: Connection, store: any MailStore, user: String, readAhead: [UInt8], logger: Logger) {
    }

    /// Serves the client until it logs out or its connection ends, and says goodbye where the RFC asks for it.
    public func run() {
    }
}
