/// The words for people after a condition (RFC 9051 §7.1, `resp-text`).
///
/// Never empty, because clients fail on that; printable ASCII only, so that it can neither break the line nor need a mode;
/// and not begun with "[", which would be taken for a response code.
public struct RespText: Hashable, Sendable {
    public let bytes: [UInt8]

    /// `nil` unless `bytes` can stand as they are.
    public init?(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty, bytes.first != UInt8(ascii: "["), bytes.allSatisfy(Self.isAllowed) else { return nil }
        self.bytes = Array(bytes)
    }

    /// `string` with a "?" for everything that cannot stand, for texts from elsewhere (PAM, the system).
    public init(replacingIn string: String) {
        var bytes = string.unicodeScalars.map { scalar in
            scalar.isASCII && Self.isAllowed(UInt8(scalar.value)) ? UInt8(scalar.value) : UInt8(ascii: "?")
        }
        if bytes.isEmpty || bytes[0] == UInt8(ascii: "[") { bytes.insert(UInt8(ascii: "?"), at: 0) }
        self.bytes = bytes
    }

    private static func isAllowed(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) }
}

extension RespText: ExpressibleByStringLiteral {
    /// For texts of our own, in the source.
    public init(stringLiteral text: StaticString) {
        let bytes = text.withUTF8Buffer { Array($0) }
        guard let value = RespText(bytes) else { preconditionFailure("not a resp-text: \(text)") }
        self = value
    }
}

/// atom (RFC 9051 §9): 1 or more ATOM-CHARs, so that it can stand without quotes anywhere.
public struct Atom: Hashable, Sendable {
    public let bytes: [UInt8]

    /// `nil` unless `bytes` are an atom.
    public init?(_ bytes: some Collection<UInt8>) {
        guard !bytes.isEmpty, bytes.allSatisfy(\.isAtomCharacter) else { return nil }
        self.bytes = Array(bytes)
    }

    public init?(_ string: String) { self.init(Array(string.utf8)) }
}
