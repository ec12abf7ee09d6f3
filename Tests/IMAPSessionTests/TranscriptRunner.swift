import IMAPTypes
import Testing

/// Holds a conversation as a transcript has it, and ends at the first difference.
struct TranscriptRunner {
    private let transcript: Transcript
    private let account: any TestAccount
    private var clients: [Int: TranscriptClient] = [:]
    private var bindings: Bindings = [:]
    private var exchange: [String] = []
    /// What a connection must not say before its next line.
    private var forbidden: [Int: [ResponsePattern]] = [:]
    /// Lines that may come in any order, and those that may not come at all.
    private var group: [Int: [(pattern: ResponsePattern, isOptional: Bool, line: Int)]] = [:]
    /// Connections that may say more than is written, up to their next line.
    private var loose: Set<Int> = []
    private var line = 0

    struct Difference: Error {
        let line: Int
        let message: String
    }

    /// Whether all that clients send goes in small pieces.
    private let isChopped: Bool

    private init(_ transcript: Transcript, _ account: any TestAccount, isChopped: Bool) {
        self.transcript = transcript
        self.account = account
        self.isChopped = isChopped
    }

    static func run(_ transcript: Transcript, in account: any TestAccount, isChopped: Bool = false) throws(Difference) {
        var runner = TranscriptRunner(transcript, account, isChopped: isChopped)
        do {
            for step in transcript.steps {
                runner.line = step.line
                try runner.perform(step.action)
            }
            try runner.end()
        } catch {
            let soFar = runner.exchange.suffix(60).joined(separator: "\n")
            throw Difference(line: runner.line, message: "\(error)\nThe exchange so far:\n\(soFar)")
        }
    }

    private mutating func perform(_ action: Transcript.Action) throws {
        switch action {
        case .send(let connection, let bytes, let paced):
            try settle(connection)
            let bytes = try substitute(bytes)
            exchange.append("  C\(connection): \(bytes.shown)")
            // Short lines byte by byte; what is long would take too long.
            if isChopped { try client(connection).chunkSize = max(1, bytes.count / 100) }
            try client(connection).send(bytes, paced: paced)
        case .expect(let connection, let expectation):
            try expect(connection, expectation)
        case .serverCloses(let connection):
            try settle(connection)
            if let more = try client(connection).receive() {
                exchange.append("  S\(connection): \(more.shown)")
                throw TestFailure("the server must close the connection, and says: \(more.shown)")
            }
            clients[connection]?.closeNow()
            try clients[connection]?.waitForEnd()
        case .clientCloses(let connection):
            try settle(connection)
            exchange.append("  C\(connection) closes")
            try client(connection).closeNow()
            try client(connection).waitForEnd()
        case .chunks(let connection, let size):
            try client(connection).chunkSize = size
        case .select(let mailbox, let readOnly, let connections):
            for connection in connections {
                try command(connection, (readOnly ? "EXAMINE " : "SELECT ") + "\"\(mailbox)\"")
            }
        case .enable(let capability, let connections):
            for connection in connections { try command(connection, "ENABLE " + capability) }
        case .check(let left, let comparison, let right):
            try check(left, comparison, right)
        case .store(let action):
            for connection in clients.keys.sorted() { try settle(connection) }
            exchange.append("  (\(action))")
            try action.perform(in: account)
        }
    }

    private mutating func client(_ connection: Int) throws -> TranscriptClient {
        if let client = clients[connection] { return client }
        let client = try TranscriptClient(account, prefix: transcript.prefix)
        clients[connection] = client
        return client
    }

    /// After the last line: nothing more may come, but for a goodbye.
    private mutating func end() throws {
        for connection in clients.keys.sorted() {
            guard let client = clients[connection], client.isOpen else { continue }
            try settle(connection)
            client.endInput()
            while let response = try next(connection) {
                if try takeFromGroup(connection, response) { continue }
                if case .status("*", "BYE", _, _) = response { continue }
                throw TestFailure("connection \(connection) says more than the transcript has")
            }
            client.closeNow()
            try client.waitForEnd()
        }
    }

    // MARK: - The server's lines

    private mutating func expect(_ connection: Int, _ expectation: Transcript.Expectation) throws {
        switch expectation {
        case .whatever:
            loose.insert(connection)
        case .forbidden(let line):
            forbidden[connection, default: []].append(try pattern(line))
        case .anyOrder(let line):
            group[connection, default: []].append((try pattern(line), false, self.line))
        case .optional(let line):
            group[connection, default: []].append((try pattern(line), true, self.line))
        case .said(let line):
            let wanted = try pattern(line)
            while true {
                guard let response = try next(connection) else { throw TestFailure("the server closes the connection") }
                for pattern in forbidden[connection] ?? [] where pattern.match(response, bindings) != nil {
                    throw TestFailure("the server must not say this here")
                }
                // What may come in any order comes before this line.
                if try takeFromGroup(connection, response) { continue }
                let waits = (group[connection] ?? []).contains { !$0.isOptional }
                if !waits, let matched = wanted.match(response, bindings) {
                    bindings = matched
                    break
                }
                if loose.contains(connection), response.isHarmless { continue }
                throw TestFailure("the server must say: \(waits ? "one of the S& lines before this one" : line.text.shown)")
            }
            forbidden[connection] = nil
            group[connection] = nil
            loose.remove(connection)
        }
    }

    private mutating func takeFromGroup(_ connection: Int, _ response: Response) throws -> Bool {
        for (at, member) in (group[connection] ?? []).enumerated() {
            guard let matched = member.pattern.match(response, bindings) else { continue }
            bindings = matched
            group[connection]?.remove(at: at)
            return true
        }
        return false
    }

    /// Before something else happens, all that may come in any order must have come.
    private mutating func settle(_ connection: Int) throws {
        while (group[connection] ?? []).contains(where: { !$0.isOptional }) {
            guard let response = try next(connection) else { throw TestFailure("the server closes the connection") }
            guard try takeFromGroup(connection, response) else {
                throw TestFailure("the server must say one of the S& lines above")
            }
        }
    }

    private mutating func next(_ connection: Int) throws -> Response? {
        guard let bytes = try client(connection).receive() else {
            exchange.append("  S\(connection) closes")
            return nil
        }
        exchange.append("  S\(connection): \(bytes.shown)")
        var reader = ResponseReader(bytes)
        let response = try reader.response()
        if case .data(let nodes) = response, nodes.first == .atom("ENABLED"),
           nodes.contains(.atom("IMAP4rev2")) || nodes.contains(.atom("UTF8=ACCEPT")) {
            clients[connection]?.allowsUTF8 = true
        }
        return response
    }

    private func pattern(_ line: Transcript.Line) throws -> ResponsePattern {
        try ResponsePattern(line.text, literals: line.literals)
    }

    /// A command whose untagged responses do not matter.
    private mutating func command(_ connection: Int, _ text: String) throws {
        try settle(connection)
        exchange.append("  C\(connection): prep \(text)")
        try client(connection).send(Array("prep \(text)\r\n".utf8), paced: false)
        while let response = try next(connection) {
            guard case .status("prep", let condition, _, _) = response else { continue }
            guard condition == "OK" else { throw TestFailure("\(text) must succeed") }
            return
        }
        throw TestFailure("the server closes the connection")
    }

    // MARK: - Variables

    /// Puts the values of variables in their places; what was never bound stays as it is.
    private func substitute(_ bytes: [UInt8]) throws -> [UInt8] {
        TranscriptText.pieces(bytes).flatMap { piece -> [UInt8] in
            switch piece {
            case .text(let text): text
            case .variable(let name): bindings[name]?.wire ?? Array("$\(name)".utf8)
            }
        }
    }

    private func check(_ left: String, _ comparison: Transcript.Comparison, _ right: String) throws {
        func value(_ text: String) throws -> ResponseNode {
            guard text.hasPrefix("$") else { return .atom(text) }
            guard let node = bindings[String(text.dropFirst())] else { throw TestFailure("\(text) was never bound") }
            return node
        }
        func number(_ node: ResponseNode) throws -> UInt64 {
            guard let number = node.atomText.flatMap({ UInt64($0) }) else { throw TestFailure("\(node) is no number") }
            return number
        }
        let a = try value(left), b = try value(right)
        let holds = switch comparison {
        case .equal: a == b
        case .different: a != b
        case .less: try number(a) < number(b)
        case .notGreater: try number(a) <= number(b)
        }
        guard holds else {
            throw TestFailure("\(left) is \(a.wire.shown) and \(right) is \(b.wire.shown): not \(comparison.rawValue)")
        }
    }
}

extension Response {
    /// Whether it may come unasked without harm to the client's numbers.
    fileprivate var isHarmless: Bool {
        switch self {
        case .status("*", "BYE", _, _): false
        case .status(let tag, _, _, _): tag == "*"
        case .data(let nodes): !nodes.contains(.atom("EXPUNGE")) && nodes.first != .atom("VANISHED")
        case .continuation: false
        }
    }
}
