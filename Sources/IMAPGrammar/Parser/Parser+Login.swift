import IMAPTypes

/// The commands of the Not Authenticated state, ID and ENABLE.
extension Parser {
    /// login           = "LOGIN" SP userid SP password
    mutating func login() throws(SyntaxError) -> NotAuthenticatedCommand {
        try sp()
        let user = try astring()
        try sp()
        return .login(user: user, password: try astring())
    }

    /// authenticate    = "AUTHENTICATE" SP auth-type [SP initial-resp]
    ///                   *(CRLF base64)
    ///
    /// initial-resp    =  (base64 / "=")
    ///
    /// The lines that follow the command are read by `CommandReader.nextLine`.
    mutating func authenticate() throws(SyntaxError) -> NotAuthenticatedCommand {
        try sp()
        let mechanism = try atom().map(\.uppercased)
        guard acceptSpaceBeforeItem() else { return .authenticate(mechanism: mechanism, initialResponse: nil) }
        if accept("=") { return .authenticate(mechanism: mechanism, initialResponse: []) }
        let response = take(while: \.isBase64)
        guard !response.isEmpty else { throw failure("initial-resp") }
        return .authenticate(mechanism: mechanism, initialResponse: Array(response))
    }

    /// id ::= "ID" SPACE id_params_list
    ///
    /// id_params_list ::= "(" #(string SPACE nstring) ")" / nil
    mutating func id() throws(SyntaxError) -> AnyStateCommand {
        try sp()
        if accept("NIL") { return .id(nil) }
        var fields: [IDField] = []
        try parenthesized(atMost: Limit.idFields) { (parser) throws(SyntaxError) in
            let name = try parser.string()
            try parser.sp()
            fields.append(IDField(name: name, value: try parser.nstring()))
        }
        return .id(fields)
    }

    /// enable          = "ENABLE" 1*(SP capability)
    mutating func enable() throws(SyntaxError) -> AuthenticatedCommand {
        try sp()
        var names: [[UInt8]] = []
        repeat {
            guard names.count < Limit.options else { throw failure("no more items") }
            names.append(try atom().map(\.uppercased))
        } while acceptSpaceBeforeItem()
        return .enable(names)
    }
}

extension UInt8 {
    /// base64-char     = ALPHA / DIGIT / "+" / "/", and the "=" at the end of base64.
    var isBase64: Bool {
        isDigit || (0x41...0x5A).contains(uppercased) || self == UInt8(ascii: "+") || self == UInt8(ascii: "/")
            || self == UInt8(ascii: "=")
    }
}
