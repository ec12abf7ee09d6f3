/// Where metrics are told.
enum MetricsPlace: Sendable, Equatable {
    case address(ListenAddress)
    /// Of a socket.
    case path(String)
}

extension ValueKind where Value == MetricsPlace {
    static var metricsPlace: Self {
        Self("PLACE", show: { place in
            switch place {
            case .address(let address): "\(address)"
            case .path(let path): path
            }
        }) { (text) throws(Setting.BadValue) in
            if text.first == "/" { return .path(try ValueKind<String>.pathOrNone.read(text)) }
            // Nobody else's business unless that is said.
            if let port = UInt16(text) { return .address(ListenAddress(host: "localhost", port: port)) }
            guard let address = ListenAddress(text), address.port != nil else {
                throw Setting.BadValue(reason: "\"\(text)\" is neither a port, nor HOST:PORT, nor an absolute path")
            }
            return .address(address)
        }
    }
}

extension ValueKind where Value == String {
    /// An absolute path, or "none".
    static var pathOrNone: Self {
        Self("PATH") { (text) throws(Setting.BadValue) in
            guard text == "none" || text.first == "/" else {
                throw Setting.BadValue(reason: "\"\(text)\" is neither none nor an absolute path")
            }
            return try ValueKind<String>.text("PATH").read(text)
        }
    }
}
