/// What a transcript's variables stand for.
typealias Bindings = [String: ResponseNode]

/// What a transcript expects the server to say: a response with `$name` for values that are bound at first sight,
/// `$_` for any value, and `...` for any further ones.
struct ResponsePattern {
    let response: Response

    /// - Parameter literals: what stands for each `{}`.
    init(_ text: [UInt8], literals: [[UInt8]] = []) throws {
        var reader = ResponseReader(text, isPattern: true, literals: literals)
        response = try reader.response()
    }

    /// The bindings after a match; `nil` if there is none.
    func match(_ actual: Response, _ bindings: Bindings) -> Bindings? {
        var bindings = bindings
        switch (response, actual) {
        case (.continuation, .continuation):
            return bindings
        case (.status(let tag, let condition, let code, _), .status(let actualTag, let actualCondition, let actualCode, _)):
            guard tag == actualTag, condition == actualCondition else { return nil }
            guard let code else { return bindings }
            guard let actualCode, matchWords(code, actualCode, &bindings) else { return nil }
            return bindings
        case (.data(let nodes), .data(let actualNodes)):
            return matchWords(nodes, actualNodes, &bindings) ? bindings : nil
        default:
            return nil
        }
    }

    /// The words of an untagged response or of a response code: what the RFC calls a list without order is compared so.
    private func matchWords(_ pattern: [ResponseNode], _ actual: [ResponseNode], _ bindings: inout Bindings) -> Bool {
        let first = pattern.first?.atomText ?? "", second = pattern.count > 1 ? pattern[1].atomText ?? "" : ""
        switch (first, second) {
        case ("CAPABILITY", _), ("ENABLED", _):
            return actual.first == pattern.first
                && matchUnordered(pattern.dropFirst().map { [$0] }, actual.dropFirst().map { [$0] }, &bindings)
        case ("FLAGS", _), ("PERMANENTFLAGS", _):
            guard pattern.count == 2, actual.count == 2, actual[0] == pattern[0] else { return false }
            return matchFlags(pattern[1], actual[1], &bindings)
        case ("LIST", _), ("LSUB", _):
            guard pattern.count >= 4, actual.count >= 4, actual[0] == pattern[0] else { return false }
            return matchFlags(pattern[1], actual[1], &bindings) && match(pattern[2], actual[2], &bindings)
                && matchMailbox(pattern[3], actual[3], &bindings)
                && matchOrdered(pattern[4...], actual[4...], &bindings)
        case ("STATUS", _):
            guard pattern.count == 3, actual.count == 3, actual[0] == pattern[0],
                  matchMailbox(pattern[1], actual[1], &bindings) else { return false }
            return matchPairs(pattern[2], actual[2], &bindings)
        case (_, "FETCH"):
            guard pattern.count == 3, actual.count == 3, actual[1] == pattern[1],
                  match(pattern[0], actual[0], &bindings) else { return false }
            return matchPairs(pattern[2], actual[2], &bindings)
        default:
            return matchOrdered(pattern[...], actual[...], &bindings)
        }
    }

    private func matchOrdered(
        _ pattern: ArraySlice<ResponseNode>, _ actual: ArraySlice<ResponseNode>, _ bindings: inout Bindings
    ) -> Bool {
        var rest = actual
        for (at, wanted) in zip(pattern.indices, pattern) {
            if wanted.isEllipsis, at == pattern.endIndex - 1 { return true }
            guard let node = rest.popFirst(), match(wanted, node, &bindings) else { return false }
        }
        return rest.isEmpty
    }

    /// Names with a value after each, in any order.
    private func matchPairs(_ pattern: ResponseNode, _ actual: ResponseNode, _ bindings: inout Bindings) -> Bool {
        if pattern.variable != nil { return match(pattern, actual, &bindings) }
        guard case .list(let pattern) = pattern, case .list(let actual) = actual, actual.count % 2 == 0 else { return false }
        return matchUnordered(pattern.pairs, actual.pairs, &bindings)
    }

    private func matchFlags(_ pattern: ResponseNode, _ actual: ResponseNode, _ bindings: inout Bindings) -> Bool {
        if pattern.variable != nil { return match(pattern, actual, &bindings) }
        guard case .list(let pattern) = pattern, case .list(let actual) = actual else { return false }
        return matchUnordered(pattern.map { [$0] }, actual.map { [$0] }, &bindings)
    }

    /// Each group of nodes of the one has its like in the other; `...` is like all those that are left.
    private func matchUnordered(_ pattern: [[ResponseNode]], _ actual: [[ResponseNode]], _ bindings: inout Bindings) -> Bool {
        var rest = actual
        for wanted in pattern where wanted.first?.isEllipsis != true {
            let found = rest.firstIndex { group in
                var trial = bindings
                guard matchGroup(wanted, group, &trial) else { return false }
                bindings = trial
                return true
            }
            guard let found else { return false }
            rest.remove(at: found)
        }
        return rest.isEmpty || pattern.contains { $0.first?.isEllipsis == true }
    }

    private func matchGroup(_ pattern: [ResponseNode], _ actual: [ResponseNode], _ bindings: inout Bindings) -> Bool {
        if pattern.count == 2, actual.count == 2, pattern[0] == .atom("FLAGS") {
            return actual[0] == pattern[0] && matchFlags(pattern[1], actual[1], &bindings)
        }
        return matchOrdered(pattern[...], actual[...], &bindings)
    }

    /// A mailbox may be an atom or a string, as the server likes.
    private func matchMailbox(_ pattern: ResponseNode, _ actual: ResponseNode, _ bindings: inout Bindings) -> Bool {
        if pattern.variable != nil { return match(pattern, actual, &bindings) }
        return pattern.bytes != nil && pattern.bytes == actual.bytes
    }

    private func match(_ pattern: ResponseNode, _ actual: ResponseNode, _ bindings: inout Bindings) -> Bool {
        if let name = pattern.variable { return bind(name, actual, &bindings) }
        switch (pattern, actual) {
        case (.atom(let pattern), .atom(let actual)):
            return pattern.contains(UInt8(ascii: "$")) ? matchAtom(pattern, actual, &bindings) : pattern == actual
        case (.string(let pattern, let form), .string(let actual, let actualForm)):
            // A quoted string stands for the same bytes in any form.
            return pattern == actual && (form == .quoted || form == actualForm)
        case (.list(let pattern), .list(let actual)):
            return matchOrdered(pattern[...], actual[...], &bindings)
        default:
            return false
        }
    }

    private func bind(_ name: String, _ node: ResponseNode, _ bindings: inout Bindings) -> Bool {
        if name == "_" { return true }
        if let bound = bindings[name] { return bound == node }
        bindings[name] = node
        return true
    }

    /// An atom with variables in it: `$first:$last`. Each stands for as many letters and digits as there are.
    private func matchAtom(_ pattern: [UInt8], _ actual: [UInt8], _ bindings: inout Bindings) -> Bool {
        var rest = actual[...]
        for piece in TranscriptText.pieces(pattern) {
            switch piece {
            case .text(let text):
                guard rest.starts(with: text) else { return false }
                rest = rest.dropFirst(text.count)
            case .variable(let name):
                let value = rest.prefix { $0.isLetterOrDigit }
                guard !value.isEmpty, bind(name, .atom(Array(value)), &bindings) else { return false }
                rest = rest.dropFirst(value.count)
            }
        }
        return rest.isEmpty
    }
}

extension ResponseNode {
    fileprivate var isEllipsis: Bool { self == .atom("...") }

    /// The name, if this is a variable and nothing else.
    fileprivate var variable: String? {
        guard case .atom(let bytes) = self, case .variable(let name)? = TranscriptText.pieces(bytes).first,
              name.utf8.count + 1 == bytes.count else { return nil }
        return name
    }
}

extension [ResponseNode] {
    fileprivate var pairs: [[ResponseNode]] {
        var pairs: [[ResponseNode]] = []
        var rest = self[...]
        while let name = rest.popFirst() {
            if name.isEllipsis { pairs.append([name]) } else { pairs.append([name] + rest.prefix(1)); rest = rest.dropFirst() }
        }
        return pairs
    }
}

/// Text with variables: `$` and a lower-case letter, then letters and digits; or `$_`.
/// `$` alone (RFC 9051 §6.4.4.1) and keywords such as `$Forwarded` are text.
enum TranscriptText {
    enum Piece { case text([UInt8]), variable(String) }

    static func pieces(_ bytes: [UInt8]) -> [Piece] {
        var pieces: [Piece] = []
        var text: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let next = at + 1 < bytes.count ? bytes[at + 1] : 0
            guard bytes[at] == UInt8(ascii: "$"), (0x61...0x7A).contains(next) || next == UInt8(ascii: "_") else {
                text.append(bytes[at])
                at += 1
                continue
            }
            if !text.isEmpty { pieces.append(.text(text)) }
            text = []
            let name = next == UInt8(ascii: "_") ? [next][...] : bytes[(at + 1)...].prefix { $0.isLetterOrDigit }
            pieces.append(.variable(String(decoding: name, as: UTF8.self)))
            at += 1 + name.count
        }
        if !text.isEmpty { pieces.append(.text(text)) }
        return pieces
    }
}

extension UInt8 {
    var isLetterOrDigit: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }
}
