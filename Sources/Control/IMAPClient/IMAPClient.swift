import Authentication
import Glibc
import Transport

/// A client of another IMAP server (RFC 3501, RFC 9051), as much of one as it takes to bring mail from there.
final class IMAPClient {
    /// A part of a command.
    enum Word {
        case atom(String)
        /// Quoted where it can be, else a literal.
        case string([UInt8])
        case secret(Secret)
    }

    let connection: Connection
    private let reader: ResponseReader
    private var nextTag = 1
    /// In upper case; asked anew when they may have changed.
    private(set) var capabilities: Set<String> = []
    /// Messages in the mailbox that was opened last.
    var selectedCount: UInt32 = 0
    /// The server knows already who we are.
    var isLoggedIn = false
    /// Nobody on the way can read what is said.
    let isProtected: Bool

    /// Reads the greeting.
    init(_ connection: Connection, tls: (context: TLSClientContext, isImplicit: Bool)?) throws(ControlFailure) {
        self.connection = connection
        isProtected = tls != nil
        reader = ResponseReader(connection)
        if let tls, tls.isImplicit { try startTLS(tls.context) }
        let greeting = try reader.next()
        guard greeting.isUntagged, greeting.name == "OK" || greeting.name == "PREAUTH" else {
            throw ControlFailure("the server turns us away: \(Output.safe(greeting.text.text))")
        }
        isLoggedIn = greeting.name == "PREAUTH"
        if let tls, !tls.isImplicit {
            guard !isLoggedIn else { throw ControlFailure("the server does not let TLS begin") }
            try askForCapabilities()
            guard capabilities.contains("STARTTLS") else { throw ControlFailure("the server does not offer STARTTLS") }
            _ = try command([.atom("STARTTLS")])
            guard reader.isEmpty else { throw ControlFailure("the server has said something between STARTTLS and TLS") }
            try startTLS(tls.context)
        }
        try askForCapabilities()
    }

    private func startTLS(_ context: TLSClientContext) throws(ControlFailure) {
        do throws(ConnectionEnd) {
            try connection.startTLS(context, atMost: .seconds(60))
        } catch {
            throw ControlFailure(error)
        }
    }

    func askForCapabilities() throws(ControlFailure) {
        var found: Set<String> = []
        _ = try command([.atom("CAPABILITY")]) { (response) throws(ControlFailure) in
            if response.name == "CAPABILITY" { found.formUnion((response.values ?? []).compactMap { $0.text?.uppercased() }) }
        }
        capabilities = found
    }

    // MARK: Commands

    func tag() -> String {
        defer { nextTag += 1 }
        return "a\(nextTag)"
    }

    func send(_ bytes: [UInt8]) throws(ControlFailure) {
        do throws(ConnectionEnd) { try connection.send(bytes) } catch { throw ControlFailure(error) }
    }

    /// Sends a command and reads what is said until it is done. NO and BAD are failures. Returns the code of the OK.
    @discardableResult
    func command(
        _ words: [Word], _ hear: (Response) throws(ControlFailure) -> Void = { (_) throws(ControlFailure) in },
        body: ResponseReader.Body? = nil
    ) throws(ControlFailure) -> String? {
        let tag = tag()
        var line = Array(tag.utf8)
        defer { line.wipe() }
        for word in words {
            line.append(0x20)
            switch word {
            case .atom(let text): line += Array(text.utf8)
            case .string(let bytes): try add(bytes, to: &line, tag)
            case .secret(let secret):
                var bytes: [UInt8] = []
                secret.withBytes { bytes.append(contentsOf: $0) }
                defer { bytes.wipe() }
                try add(bytes, to: &line, tag)
            }
        }
        try send(line + [0x0D, 0x0A])
        return try completion(of: tag, hear, body: body)
    }

    private func add(_ bytes: [UInt8], to line: inout [UInt8], _ tag: String) throws(ControlFailure) {
        if bytes.count < 1000, bytes.allSatisfy({ (0x20...0x7E).contains($0) }) {
            line.append(UInt8(ascii: "\""))
            for byte in bytes {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { line.append(UInt8(ascii: "\\")) }
                line.append(byte)
            }
            line.append(UInt8(ascii: "\""))
        } else {
            try send(line + Array("{\(bytes.count)}\r\n".utf8))
            try awaitContinuation(tag)
            // A copy: what holds a secret is overwritten by whoever gave it.
            line.removeAll(keepingCapacity: true)
            line.append(contentsOf: bytes)
        }
    }

    private func awaitContinuation(_ tag: String) throws(ControlFailure) {
        while true {
            let response = try next()
            if response.tag == "+" { return }
            if !response.isUntagged { throw refusal(response) }
        }
    }

    /// The next response; a goodbye is a failure.
    func next(_ body: ResponseReader.Body? = nil) throws(ControlFailure) -> Response {
        let response = try reader.next(body)
        if response.isUntagged, response.name == "BYE" {
            throw ControlFailure("the server ends the connection: \(Output.safe(response.text.text))")
        }
        return response
    }

    private func completion(
        of tag: String, _ hear: (Response) throws(ControlFailure) -> Void = { (_) throws(ControlFailure) in },
        body: ResponseReader.Body? = nil
    ) throws(ControlFailure) -> String? {
        while true {
            let response = try next(body)
            if response.isUntagged {
                try hear(response)
            } else if response.tag == tag {
                guard response.name == "OK" else { throw refusal(response) }
                return response.text.code
            }
        }
    }

    func refusal(_ response: Response) -> ControlFailure {
        ControlFailure("the server says \(Output.safe(response.name)): \(Output.safe(response.text.text))")
    }

    /// Says goodbye; whether the server hears it does not matter any more.
    func logOut() {
        try? send(Array("\(tag()) LOGOUT\r\n".utf8))
        connection.finish()
    }
}
