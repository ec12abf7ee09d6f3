import Authentication
import Transport

/// What a gate offers and asks for.
public struct GateRules: Sendable {
    /// For STARTTLS, or for TLS from the first byte; `nil`: no TLS.
    public var tls: TLSContext?
    /// Whether TLS begins with the first byte (RFC 8314 §3).
    public var usesImplicitTLS = false
    /// Whether a PROXY header must come before anything else, TLS too: the peer is a proxy that is believed.
    public var expectsProxyHeader = false
    /// For that header. A proxy has it ready.
    public var proxyTimeLimit: Duration = .seconds(10)
    /// Whether passwords may come in clear text.
    public enum PlaintextLogin: Sendable { case never, fromLoopback, always }
    public var plaintextLogin: PlaintextLogin
    /// What AUTHENTICATE offers. SCRAM is for authenticators that have verifiers: a client takes the best that it is offered,
    /// and does not try another if that fails.
    public var mechanisms: [SASL] = SASL.ofPasswords
    /// What a client signs that shows a certificate (`CertificateProof`); `nil`: none can log in with it.
    public var certificateChallenge: [UInt8]?
    /// From the first byte to the login.
    public var timeLimit: Duration = .seconds(180)
    /// Commands that a client may send before it has logged in. Real ones need fewer than ten.
    public var commandLimit = 100
    /// The words of the greeting.
    public var greeting = "imapd ready"
    /// Capabilities that are not told.
    public var hiddenCapabilities: [String] = []
    /// Whether whoever gets in is told at once what the session can do: not if that depends on who it is.
    public var tellsCapabilitiesAtLogin = true

    public init(tls: TLSContext? = nil, plaintextLogin: PlaintextLogin = .never) {
        self.tls = tls
        self.plaintextLogin = plaintextLogin
    }
}
