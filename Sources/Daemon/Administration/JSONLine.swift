/// An object of JSON (RFC 8259) on a line of its own. Whatever texts come to be in it, it is one.
struct JSONLine {
    private(set) var bytes = Array("{".utf8)

    /// Whole, with the line's end.
    var line: [UInt8] { bytes + Array("}\n".utf8) }

    mutating func add(_ name: String, _ value: String?) {
        begin(name)
        guard let value else { return bytes += Array("null".utf8) }
        quote(value)
    }

    mutating func add(_ name: String, _ value: (some BinaryInteger)?) {
        begin(name)
        bytes += Array((value.map { "\($0)" } ?? "null").utf8)
    }

    mutating func add(_ name: String, _ value: Bool) {
        begin(name)
        bytes += Array("\(value)".utf8)
    }

    /// Names and numbers.
    mutating func add(_ name: String, _ values: [(String, UInt64)]) {
        begin(name)
        var object = JSONLine()
        for (name, value) in values { object.add(name, value) }
        bytes += object.bytes + [UInt8(ascii: "}")]
    }

    private mutating func begin(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        quote(name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func quote(_ text: String) { bytes += Array(JSONText.quoted(text).utf8) }
}
