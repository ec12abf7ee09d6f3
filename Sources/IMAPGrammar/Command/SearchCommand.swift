public struct SearchCommand: Hashable, Sendable {
    public var byUID: Bool
    /// As the client named it; `nil` without CHARSET.
    public var charset: [UInt8]?
    /// RETURN options (RFC 9051 §6.4.4); `nil` without RETURN. RETURN () is [.all].
    public var returning: SearchReturn?
    public var key: SearchKey

    public init(byUID: Bool, charset: [UInt8]?, returning: SearchReturn?, key: SearchKey) {
        self.byUID = byUID
        self.charset = charset
        self.returning = returning
        self.key = key
    }
}

public struct SearchReturn: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let min = SearchReturn(rawValue: 1)
    public static let max = SearchReturn(rawValue: 2)
    public static let all = SearchReturn(rawValue: 4)
    public static let count = SearchReturn(rawValue: 8)
    public static let save = SearchReturn(rawValue: 16)
}
