import IMAPTypes
import Testing

@Suite("Object ids")
struct ObjectIDTests {
    @Test("are 32 digits and come back", arguments: [
        (ObjectID(low: 0, high: 0), "00000000000000000000000000000000"),
        (ObjectID(low: 0xFEDC_BA98_7654_3210, high: 0x0123_4567_89AB_CDEF), "0123456789abcdeffedcba9876543210"),
        (ObjectID(low: .max, high: .max), "ffffffffffffffffffffffffffffffff"),
    ])
    func digits(id: ObjectID, text: String) {
        #expect(id.hexadecimal == text)
        #expect(ObjectID(hexadecimal: text.utf8) == id)
    }

    /// RFC 8474 §8.1: ids that differ in case only are no ids of one thing.
    @Test("are nothing else", arguments: [
        "", "0", "0123456789abcdeffedcba987654321", "0123456789abcdeffedcba98765432100", "0123456789ABCDEFfedcba9876543210",
        "0123456789abcdeffedcba987654321g", "-123456789abcdeffedcba9876543210",
    ])
    func noDigits(text: String) { #expect(ObjectID(hexadecimal: text.utf8) == nil) }
}
