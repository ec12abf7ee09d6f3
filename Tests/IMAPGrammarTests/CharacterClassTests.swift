import IMAPTypes
import Testing
@testable import IMAPGrammar

/// Each class against its members written out by hand, from the characters that the rules exclude, on all 256 bytes.
@Suite struct CharacterClassTests {
    static let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    /// Printable US-ASCII that is neither letter, digit, nor one of ( ) { SP % * " \ ]
    static let atomPunctuation = "!#$&'+,-./:;<=>?@[^_`|}~"

    static let classes: [(String, @Sendable (UInt8) -> Bool, String)] = [
        ("ATOM-CHAR", { $0.isAtomCharacter }, letters + atomPunctuation),
        ("ASTRING-CHAR", { $0.isAStringCharacter }, letters + atomPunctuation + "]"),
        ("tag", { $0.isTagCharacter }, letters + atomPunctuation.filter { $0 != "+" } + "]"),
        ("list-char", { $0.isListCharacter }, letters + atomPunctuation + "]%*"),
        ("base64-char or =", { $0.isBase64 }, letters + "+/="),
        ("DIGIT", { $0.isDigit }, "0123456789"),
    ]

    @Test("agrees with its rule on all bytes", arguments: 0..<classes.count)
    func agrees(index: Int) {
        let (name, isMember, members) = Self.classes[index]
        let expected = Set(members.utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(isMember(byte) == expected.contains(byte), "\(name), byte \(byte)")
        }
    }

    @Test func upperCaseIsOfLettersOnly() {
        for byte in UInt8.min...UInt8.max {
            let character = Character(Unicode.Scalar(byte))
            let upper = character.isASCII ? character.uppercased().utf8.first : nil
            #expect(byte.uppercased == upper ?? byte, "byte \(byte)")
        }
    }

    /// The parser itself, not only the predicates: a byte in the middle of a word.
    @Test func aTagEndsAtEveryOtherByte() {
        for byte in UInt8.min...UInt8.max where !byte.isTagCharacter && byte != UInt8(ascii: " ") {
            do {
                _ = try Parser.command([UInt8(ascii: "a"), byte, UInt8(ascii: "b")] + Array(" NOOP".utf8), mode: [])
                Issue.record("byte \(byte) passes in a tag")
            } catch {
                guard case .badArguments(_, let error) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(error.offset == 1)
            }
        }
    }

    @Test func aKeywordEndsAtEveryOtherByte() {
        for byte in UInt8.min...UInt8.max {
            let text = Array("a SEARCH KEYWORD x".utf8) + [byte] + Array("y".utf8)
            let isGood = (try? Parser.command(text, mode: [])) != nil
            // A space, and then "y", is no search key.
            #expect(isGood == (byte.isAtomCharacter), "byte \(byte)")
        }
    }

    @Test func quotedTakesEveryByteButThree() {
        for byte in UInt8.min...UInt8.max {
            let text = Array("a SEARCH TEXT \"x".utf8) + [byte] + Array("y\"".utf8)
            let isGood = (try? Parser.command(text, mode: [])) != nil
            #expect(isGood == ![0, 10, 13, UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(byte), "byte \(byte)")
        }
    }

    @Test func literalTakesEveryByteButNUL() {
        for byte in UInt8.min...UInt8.max {
            let text = Array("a SEARCH TEXT {3}\r\nx".utf8) + [byte] + Array("y".utf8)
            #expect(((try? Parser.command(text, mode: [])) != nil) == (byte != 0), "byte \(byte)")
        }
    }
}
