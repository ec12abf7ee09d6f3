import IMAPTypes

extension CommandReader {
    /// What one command may make us hold.
    public struct Limits: Sendable {
        /// Bytes of a command's lines together, line ends included, literals not.
        public var line: Int
        /// Bytes of one literal, the messages of APPEND not among them.
        public var literal: Int
        /// Literals in one command.
        public var literals: Int
        /// Bytes of a command in all.
        public var total: Int
        /// Whether messages of APPEND pass through. If not, they are literals like any other.
        public var streamsAppend: Bool
        /// Whether what was read is overwritten at once, because it may be a password.
        public var wipes: Bool

        /// A stranger needs LOGIN, AUTHENTICATE and ID. Kerberos tickets in an initial response are the longest
        /// of these, and Dovecot too has lived with 8 KiB.
        public static let beforeLogin = Limits(
            line: 8_192, literal: 4_096, literals: 64, total: 32_768, streamsAppend: false, wipes: true)

        /// RFC 2683 §3.2.1.5 asks for 8,000 bytes a line at least; clients name thousands of UIDs one by one, and servers have
        /// long taken 64 KiB. Literals other than messages are names and search strings.
        public static let afterLogin = Limits(
            line: 65_536, literal: 65_536, literals: 512, total: 1_048_576, streamsAppend: true, wipes: false)

        public init(line: Int, literal: Int, literals: Int, total: Int, streamsAppend: Bool, wipes: Bool) {
            self.line = line
            self.literal = literal
            self.literals = literals
            self.total = total
            self.streamsAppend = streamsAppend
            self.wipes = wipes
        }
    }

    /// Why a command was not read, and how to answer it.
    public struct Rejection: Sendable {
        public enum Reason: Sendable {
            case lineTooLong
            /// If its bytes come unasked (`!isSynchronizing`), they are read and dropped; a size that is not worth waiting for
            /// can be met with BYE instead (RFC 7888 §4).
            case literalTooBig(LiteralHeader)
            case tooManyLiterals
            case commandTooBig
            /// Of an APPEND: offsets count from the begin of its first line, or of the line after a message.
            case syntax(SyntaxError)
        }

        /// `nil` if the command has none: the answer is untagged BAD.
        public var tag: Tag?
        public var reason: Reason

        public var condition: Condition {
            switch reason {
            case .lineTooLong, .literalTooBig, .syntax: .bad
            case .tooManyLiterals, .commandTooBig: .no
            }
        }

        public var code: ResponseCode? {
            switch reason {
            case .literalTooBig: .tooBig
            case .tooManyLiterals, .commandTooBig: .limit
            case .lineTooLong, .syntax: nil
            }
        }

        public var text: RespText {
            switch reason {
            case .lineTooLong: "Command line too long"
            case .literalTooBig: "Literal too big"
            case .tooManyLiterals: "Too many literals in one command"
            case .commandTooBig: "Command too big"
            case .syntax(let error): error.text
            }
        }
    }
}
