/// The character classes of RFC 9051 §9, as questions to a byte.
extension UInt8 {
    /// ATOM-CHAR       = <any CHAR except atom-specials>
    ///
    /// atom-specials   = "(" / ")" / "{" / SP / CTL / list-wildcards /
    ///                   quoted-specials / resp-specials
    @inlinable public var isAtomCharacter: Bool {
        switch self {
        case 0...0x20, 0x7F...0xFF, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "%"),
             UInt8(ascii: "*"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "]"): false
        default: true
        }
    }

    /// ASTRING-CHAR    = ATOM-CHAR / resp-specials
    @inlinable public var isAStringCharacter: Bool { isAtomCharacter || self == UInt8(ascii: "]") }

    /// tag             = 1*<any ASTRING-CHAR except "+">
    @inlinable public var isTagCharacter: Bool { isAStringCharacter && self != UInt8(ascii: "+") }

    /// list-char       = ATOM-CHAR / list-wildcards / resp-specials
    @inlinable public var isListCharacter: Bool {
        isAStringCharacter || self == UInt8(ascii: "%") || self == UInt8(ascii: "*")
    }
}
