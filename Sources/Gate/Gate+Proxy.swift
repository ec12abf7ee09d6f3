import IMAPGrammar
import Transport

extension Gate {
    /// Hears for whom the proxy that is our peer connects; the end, if there is nobody to serve.
    func hearProxy() throws(ConnectionEnd) -> GateEnd? {
        guard let header = try proxyHeader() else {
            return try turnAway(nil, "A PROXY header is expected here", .badProxyHeader)
        }
        proxied = header.client
        guard let notice = try monitor.reveal(header.client) else { return nil }
        return try turnAway(.init(notice.code), RespText(replacingIn: notice.text), .turnedAway)
    }

    /// Reads it and not one byte beyond, which would be TLS's. `nil` if it makes no sense, or does not come.
    private func proxyHeader() throws(ConnectionEnd) -> ProxyHeader? {
        let deadline = Deadline(after: rules.proxyTimeLimit)
        var bytes: [UInt8] = []
        while true {
            switch try? ProxyHeader.parse(bytes) {
            case nil: return nil
            case .complete(let header): return header
            case .needs(let count):
                do throws(ConnectionEnd) {
                    bytes += try receive(atMost: count, until: deadline)
                } catch {
                    guard error == .timedOut else { throw error }
                    return nil
                }
            }
        }
    }

    private func receive(atMost count: Int, until deadline: Deadline) throws(ConnectionEnd) -> ArraySlice<UInt8> {
        var piece = [UInt8](repeating: 0, count: count)
        let received = try piece.withUnsafeMutableBufferPointer { (buffer) throws(ConnectionEnd) in
            try connection.receive(into: UnsafeMutableRawBufferPointer(buffer), atMost: deadline.remaining)
        }
        return piece.prefix(received)
    }

    private func turnAway(_ code: ResponseCode?, _ text: RespText, _ end: GateEnd) throws(ConnectionEnd) -> GateEnd {
        // Who begins with TLS would not understand.
        if !rules.usesImplicitTLS {
            out.bye(code, text)
            try flush()
        }
        return end
    }
}

extension ResponseCode {
    init(_ code: Notice.Code) {
        self = switch code {
        case .limit: .limit
        case .unavailable: .unavailable
        case .contactAdmin: .contactAdmin
        }
    }
}
