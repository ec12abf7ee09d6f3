/// Where a command stopped making sense. It never carries the client's bytes: those may be a password.
public struct SyntaxError: Error, Sendable {
    /// Bytes from the begin of the command.
    public let offset: Int
    /// The rule, or the character, that was expected there.
    public let expected: StaticString

    public init(offset: Int, expected: StaticString) {
        self.offset = offset
        self.expected = expected
    }

    /// For the client: "Expected nz-number at byte 12".
    public var text: RespText { RespText(replacingIn: "Expected \(expected) at byte \(offset)") }
}

/// Why a command could not be read, and what it takes to answer it.
public enum CommandError: Error, Sendable {
    /// No tag: the answer is untagged.
    case noTag(SyntaxError)
    /// The tag is not followed by the name of a command.
    case unknownCommand(Tag)
    case badArguments(Tag, SyntaxError)
    /// From `Parser.preAuthCommand` only: the command is for those who have logged in.
    case needsLogin(Tag)

    public var tag: Tag? {
        switch self {
        case .noTag: nil
        case .unknownCommand(let tag), .badArguments(let tag, _), .needsLogin(let tag): tag
        }
    }

    /// For the BAD.
    public var text: RespText {
        switch self {
        case .noTag(let error), .badArguments(_, let error): error.text
        case .unknownCommand: "Unknown command"
        case .needsLogin: "Log in first"
        }
    }
}
