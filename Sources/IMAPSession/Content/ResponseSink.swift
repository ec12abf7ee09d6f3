import IMAPGrammar
import Transport

/// Where responses go: a buffer, and the client behind it.
protocol ResponseSink: AnyObject {
    var out: Serializer { get set }
    /// Sends what is in `out`.
    func flush() throws(ConnectionEnd)
}
