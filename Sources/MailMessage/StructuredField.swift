/// The value of Content-Type, Content-Disposition or Content-Language, taken apart.
///
/// Made to be used again and again: nothing is allocated once its arrays have grown.
public struct StructuredField: Sendable {
    /// What the ranges below are ranges of.
    public private(set) var text: [UInt8] = []
    /// Type and subtype; a disposition; languages. As the field has them, and never empty.
    public private(set) var words: [Range<Int>] = []
    /// Names are never empty. Those of RFC 2231 stay as they are ("filename*0*"): the client puts them together.
    public private(set) var parameters: [(name: Range<Int>, value: Range<Int>)] = []

    public init() {}

    private mutating func removeAll() {
        text.removeAll(keepingCapacity: true)
        words.removeAll(keepingCapacity: true)
        parameters.removeAll(keepingCapacity: true)
    }

    private mutating func append(_ bytes: some Collection<UInt8>) -> Range<Int> {
        let start = text.count
        text.append(contentsOf: bytes)
        return start..<text.count
    }

    public subscript(_ range: Range<Int>) -> ArraySlice<UInt8> { text[range] }

    /// Content-Type (RFC 2045 §5.1). Returns whether it has a type and a subtype; if not, it is empty.
    @discardableResult
    public mutating func parseContentType(_ value: ArraySlice<UInt8>) -> Bool {
        removeAll()
        return value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            lexer.skipCFWS()
            let type = lexer.token()
            lexer.skipCFWS()
            guard !type.isEmpty, lexer.accept(UInt8(ascii: "/")) else { return false }
            lexer.skipCFWS()
            let subtype = lexer.token()
            guard !subtype.isEmpty else { return false }
            words.append(append(type))
            words.append(append(subtype))
            parseParameters(&lexer)
            return true
        }
    }

    /// Content-Disposition (RFC 2183 §2). Returns whether there is a disposition; if not, it is empty.
    @discardableResult
    public mutating func parseDisposition(_ value: ArraySlice<UInt8>) -> Bool {
        removeAll()
        return value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            lexer.skipCFWS()
            let disposition = lexer.token()
            guard !disposition.isEmpty else { return false }
            words.append(append(disposition))
            parseParameters(&lexer)
            return true
        }
    }

    /// Content-Language (RFC 3282 §2). Returns whether there is a language.
    @discardableResult
    public mutating func parseLanguages(_ value: ArraySlice<UInt8>) -> Bool {
        removeAll()
        value.withUnsafeBufferPointer { value in
            var lexer = HeaderLexer(value)
            while !lexer.isAtEnd, words.count < Limits.languages {
                lexer.skipCFWS()
                let language = lexer.token()
                if language.isEmpty { lexer.advance() } else { words.append(append(language)) }
            }
        }
        return !words.isEmpty
    }

    /// *(";" parameter), and whatever else programs write there.
    private mutating func parseParameters(_ lexer: inout HeaderLexer) {
        while !lexer.isAtEnd, parameters.count < Limits.parameters {
            _ = lexer.take { $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: "(") }
            if lexer.peek == UInt8(ascii: "(") {
                lexer.skipCFWS()
                continue
            }
            lexer.advance()
            lexer.skipCFWS()
            let name = lexer.token()
            lexer.skipCFWS()
            guard !name.isEmpty, lexer.accept(UInt8(ascii: "=")) else { continue }
            lexer.skipCFWS()
            let nameRange = append(name)
            let start = text.count
            if lexer.peek == UInt8(ascii: "\"") {
                lexer.quotedString(into: &text)
            } else if Self.isFileName(name) {
                // `filename=My picture (1).jpg`: never right, and common.
                text.append(contentsOf: lexer.take { $0 == UInt8(ascii: ";") }.trimmed())
            } else {
                text.append(contentsOf: lexer.take { $0 == UInt8(ascii: ";") || $0.isSpace || $0 == UInt8(ascii: "(") })
            }
            parameters.append((nameRange, start..<text.count))
        }
    }

    private static func isFileName(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        name.isCaseInsensitively("name") || name.isCaseInsensitively("filename")
    }

    /// The value of the first parameter of that name, which must be in lower case.
    public func parameter(_ name: StaticString) -> ArraySlice<UInt8>? {
        parameters.first { text[$0.name].isCaseInsensitively(name) }.map { text[$0.value] }
    }
}
