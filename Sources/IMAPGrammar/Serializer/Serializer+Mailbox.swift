import IMAPTypes

/// Attributes of LIST (RFC 9051 §7.3.1), special uses aside.
public struct ListAttributes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let nonExistent = ListAttributes(rawValue: 1 << 0)
    public static let noInferiors = ListAttributes(rawValue: 1 << 1)
    public static let noSelect = ListAttributes(rawValue: 1 << 2)
    public static let marked = ListAttributes(rawValue: 1 << 3)
    public static let unmarked = ListAttributes(rawValue: 1 << 4)
    public static let subscribed = ListAttributes(rawValue: 1 << 5)
    public static let remote = ListAttributes(rawValue: 1 << 6)
    public static let hasChildren = ListAttributes(rawValue: 1 << 7)
    public static let hasNoChildren = ListAttributes(rawValue: 1 << 8)

    static let names: [(ListAttributes, StaticString)] = [
        (.nonExistent, "\\NonExistent"), (.noInferiors, "\\NoInferiors"), (.noSelect, "\\Noselect"), (.marked, "\\Marked"),
        (.unmarked, "\\Unmarked"), (.subscribed, "\\Subscribed"), (.remote, "\\Remote"), (.hasChildren, "\\HasChildren"),
        (.hasNoChildren, "\\HasNoChildren"),
    ]
}

/// One line of LIST or LSUB.
public struct ListResponse: Hashable, Sendable {
    public var attributes: ListAttributes
    public var use: [SpecialUse] = []
    /// "." or "/"; `nil` where there is no hierarchy.
    public var separator: Character?
    /// `nil` for the empty name that `LIST "" ""` answers with.
    public var name: MailboxName?
    /// The selection options that children of the mailbox meet: CHILDINFO (RFC 9051 §6.3.9.6).
    public var childInfo: ListSelection = []
    /// The name that the client used for it: OLDNAME (RFC 9051 §6.3.9.7).
    public var oldName: MailboxName?

    public init(_ name: MailboxName?, separator: Character?, attributes: ListAttributes = [], use: [SpecialUse] = []) {
        self.name = name
        self.separator = separator
        self.attributes = attributes
        self.use = use
    }
}

extension Serializer {
    /// mailbox         = "INBOX" / astring
    ///
    /// UTF-8 where that is enabled, modified UTF-7 otherwise.
    public mutating func mailbox(_ name: MailboxName) {
        astring(mode.isUTF8 ? Array(name.string.utf8) : ModifiedUTF7.encode(name.string))
    }

    /// "LIST" SP mailbox-list
    public mutating func list(_ response: ListResponse) {
        write("* LIST ")
        mailboxList(response)
    }

    /// "LSUB" SP mailbox-list (RFC 3501 §7.2.3)
    public mutating func lsub(_ response: ListResponse) {
        write("* LSUB ")
        mailboxList(response)
    }

    /// mailbox-list    = "(" [mbx-list-flags] ")" SP
    ///                    (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
    ///                    [SP mbox-list-extended]
    private mutating func mailboxList(_ response: ListResponse) {
        open()
        let begin = count
        for (attribute, name) in ListAttributes.names where response.attributes.contains(attribute) {
            if count > begin { space() }
            write(name)
        }
        for use in response.use {
            if count > begin { space() }
            bytes(of: use)
        }
        write(") ")
        separator(response.separator)
        space()
        if let name = response.name { mailbox(name) } else { write("\"\"") }
        mboxListExtended(response)
        crlf()
    }

    private mutating func bytes(of use: SpecialUse) {
        for byte in use.rawValue.utf8 { write(byte: byte) }
    }

    /// (DQUOTE QUOTED-CHAR DQUOTE / nil)
    private mutating func separator(_ separator: Character?) {
        if let separator { string(Array(String(separator).utf8)) } else { write("NIL") }
    }

    /// mbox-list-extended =  "(" [mbox-list-extended-item
    ///                       *(SP mbox-list-extended-item)] ")"
    ///
    /// childinfo-extended-item =  "CHILDINFO" SP "(" list-select-base-opt-quoted
    ///             *(SP list-select-base-opt-quoted) ")"
    ///
    /// oldname-extended-item =  "OLDNAME" SP "(" mailbox ")"
    private mutating func mboxListExtended(_ response: ListResponse) {
        guard !response.childInfo.isEmpty || response.oldName != nil else { return }
        write(" (")
        if !response.childInfo.isEmpty {
            let options: [(ListSelection, StaticString)] = [
                (.subscribed, "\"SUBSCRIBED\""), (.remote, "\"REMOTE\""), (.specialUse, "\"SPECIAL-USE\""),
            ]
            write("\"CHILDINFO\" ")
            parenthesized(options.filter { response.childInfo.contains($0.0) }) { $0.write($1.1) }
        }
        if let oldName = response.oldName {
            if !response.childInfo.isEmpty { space() }
            write("\"OLDNAME\" (")
            mailbox(oldName)
            close()
        }
        close()
    }

    public enum StatusValue: Hashable, Sendable {
        case number(UInt64)
        case mailboxID(ObjectID)
    }

    /// "STATUS" SP mailbox SP "(" [status-att-list] ")"
    ///
    /// status-att-list =  status-att-val *(SP status-att-val)
    public mutating func status(_ name: MailboxName, _ values: [(StatusItem, StatusValue)]) {
        write("* STATUS ")
        mailbox(name)
        space()
        parenthesized(values) { (serializer, value) in
            serializer.bytes(of: value.0)
            serializer.space()
            switch value.1 {
            case .number(let number): serializer.number(number)
            case .mailboxID(let id): serializer.objectid(id, .mailbox)
            }
        }
        crlf()
    }

    private mutating func bytes(of item: StatusItem) {
        for byte in item.rawValue.utf8 { write(byte: byte) }
    }

    /// One namespace (RFC 2342 §5): `prefix` ends in the separator, or is empty.
    public struct Namespace: Hashable, Sendable {
        public var prefix: String
        public var separator: Character?

        public init(prefix: String, separator: Character?) {
            self.prefix = prefix
            self.separator = separator
        }
    }

    /// namespace-response = "NAMESPACE" SP namespace
    ///                       SP namespace SP namespace
    ///
    /// namespace         = nil / "(" 1*namespace-descr ")"
    public mutating func namespace(personal: [Namespace], otherUsers: [Namespace] = [], shared: [Namespace] = []) {
        write("* NAMESPACE ")
        separated([personal, otherUsers, shared], by: " ") { (serializer, namespaces) in
            guard !namespaces.isEmpty else { return serializer.write("NIL") }
            serializer.open()
            for namespace in namespaces {
                serializer.open()
                let prefix = namespace.prefix
                serializer.string(serializer.mode.isUTF8 ? Array(prefix.utf8) : ModifiedUTF7.encode(prefix))
                serializer.space()
                serializer.separator(namespace.separator)
                serializer.close()
            }
            serializer.close()
        }
        crlf()
    }
}
