import Glibc
import IMAPGrammar
import Transport

/// Where responses go: a buffer, and the client behind it.
protocol ResponseSink: AnyObject {
    var out: Serializer { get set }
    /// Sends what is in `out`.
    func flush() throws(ConnectionEnd)
    /// Sends what is in `out`, then these bytes, which may be many: without a copy of them.
    func send(_ bytes: UnsafeRawBufferPointer) throws(ConnectionEnd)
}

extension UnsafeRawBufferPointer {
    /// Whether it may be sent in a literal as it is (RFC 9051 §4.3.1).
    var hasNoNUL: Bool { baseAddress.map { memchr($0, 0, count) == nil } ?? true }
}
