/// Where to listen: a host and perhaps a port.
public struct ListenAddress: Sendable, Equatable {
    /// A name, an IPv4 or IPv6 address, or "*" for every address of this machine.
    public var host: String
    /// `nil`: the one that clients know.
    public var port: UInt16?

    public init(host: String, port: UInt16?) {
        self.host = host
        self.port = port
    }

    /// `host`, `host:port`, `[address]:port`, `*:port`, or a port alone, on all addresses. An IPv6 address without a port may do
    /// without brackets.
    init?(_ text: String) {
        if let port = UInt16(text) {
            self.init(host: "*", port: port)
            return
        }
        let (name, rest): (Substring, Substring)
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            (name, rest) = (text[..<end].dropFirst(), text[end...].dropFirst())
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            (name, rest) = (text[..<colon], text[colon...])
        } else {
            (name, rest) = (text[...], "")
        }
        guard !name.isEmpty, !name.contains(where: { $0.isWhitespace || $0 == "," || $0 == "[" || $0 == "]" }) else { return nil }
        if rest.isEmpty {
            self.init(host: String(name), port: nil)
        } else {
            guard rest.first == ":", let port = UInt16(rest.dropFirst()) else { return nil }
            self.init(host: String(name), port: port)
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    public var description: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(host):\($0)" } ?? host
    }
}
