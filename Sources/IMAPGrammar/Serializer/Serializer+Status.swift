import IMAPTypes

/// Conditions, response codes and continuation (RFC 9051 §7.1, §7.6).
extension Serializer {
    /// response-tagged = tag SP resp-cond-state CRLF
    public mutating func tagged(_ tag: Tag, _ condition: Condition, _ code: ResponseCode?, _ text: RespText) {
        write(tag.bytes)
        conditionLine(condition, code, text)
    }

    public mutating func tagged(_ tag: Tag, _ condition: Condition, _ text: RespText) {
        tagged(tag, condition, nil, text)
    }

    /// "*" SP resp-cond-state CRLF
    ///
    /// An OK as greeting is resp-cond-auth.
    public mutating func untagged(_ condition: Condition, _ code: ResponseCode?, _ text: RespText) {
        write("*")
        conditionLine(condition, code, text)
    }

    public mutating func untagged(_ condition: Condition, _ text: RespText) {
        untagged(condition, nil, text)
    }

    /// Tagged if there is a tag.
    public mutating func answer(_ tag: Tag?, _ condition: Condition, _ code: ResponseCode?, _ text: RespText) {
        if let tag { tagged(tag, condition, code, text) } else { untagged(condition, code, text) }
    }

    public mutating func answer(_ tag: Tag?, _ condition: Condition, _ text: RespText) {
        answer(tag, condition, nil, text)
    }

    /// resp-cond-bye   = "BYE" SP resp-text
    public mutating func bye(_ code: ResponseCode?, _ text: RespText) {
        write("* BYE ")
        respText(code, text)
    }

    public mutating func bye(_ text: RespText) { bye(nil, text) }

    /// continue-req    = "+" SP (resp-text / base64) CRLF
    public mutating func continuation(_ text: RespText) {
        write("+ ")
        respText(nil, text)
    }

    /// A challenge (RFC 9051 §6.2.2), base64 already; it may be empty.
    public mutating func continuation(base64: [UInt8]) {
        precondition(base64.allSatisfy(\.isBase64), "not base64")
        write("+ ")
        write(base64)
        crlf()
    }

    private mutating func conditionLine(_ condition: Condition, _ code: ResponseCode?, _ text: RespText) {
        switch condition {
        case .ok: write(" OK ")
        case .no: write(" NO ")
        case .bad: write(" BAD ")
        }
        respText(code, text)
    }

    /// resp-text       = ["[" resp-text-code "]" SP] [text]
    ///
    /// And CRLF. There is always a text: some clients fail without.
    private mutating func respText(_ code: ResponseCode?, _ text: RespText) {
        if let code {
            write("[")
            responseCode(code)
            write("] ")
        }
        write(text.bytes)
        crlf()
    }

    /// resp-text-code
    mutating func responseCode(_ code: ResponseCode) {
        switch code {
        case .alert: write("ALERT")
        case .alreadyExists: write("ALREADYEXISTS")
        case .authenticationFailed: write("AUTHENTICATIONFAILED")
        case .authorizationFailed: write("AUTHORIZATIONFAILED")
        case .cannot: write("CANNOT")
        case .clientBug: write("CLIENTBUG")
        case .closed: write("CLOSED")
        case .contactAdmin: write("CONTACTADMIN")
        case .corruption: write("CORRUPTION")
        case .expired: write("EXPIRED")
        case .expungeIssued: write("EXPUNGEISSUED")
        case .hasChildren: write("HASCHILDREN")
        case .inUse: write("INUSE")
        case .limit: write("LIMIT")
        case .nonexistent: write("NONEXISTENT")
        case .noModSeq: write("NOMODSEQ")
        case .noPerm: write("NOPERM")
        case .notSaved: write("NOTSAVED")
        case .overQuota: write("OVERQUOTA")
        case .parse: write("PARSE")
        case .privacyRequired: write("PRIVACYREQUIRED")
        case .readOnly: write("READ-ONLY")
        case .readWrite: write("READ-WRITE")
        case .serverBug: write("SERVERBUG")
        case .tooBig: write("TOOBIG")
        case .tryCreate: write("TRYCREATE")
        case .uidNotSticky: write("UIDNOTSTICKY")
        case .unavailable: write("UNAVAILABLE")
        case .unknownCTE: write("UNKNOWN-CTE")
        case .useAttr: write("USEATTR")
        case .appendUID(let validity, let uids):
            write("APPENDUID ")
            number(validity)
            space()
            sequenceSet(uids)
        case .badCharset(let charsets):
            write("BADCHARSET")
            guard !charsets.isEmpty else { return }
            space()
            parenthesized(charsets) { $0.atom($1) }
        case .capability(let capabilities):
            capabilityData(capabilities)
        case .copyUID(let validity, let source, let destination):
            write("COPYUID ")
            number(validity)
            space()
            sequenceSet(source)
            space()
            sequenceSet(destination)
        case .highestModSeq(let value):
            write("HIGHESTMODSEQ ")
            number(value)
        case .mailboxID(let id):
            write("MAILBOXID ")
            objectid(id, .mailbox)
        case .modified(let numbers):
            write("MODIFIED ")
            sequenceSet(numbers)
        case .permanentFlags(let system, let keywords, let canCreate):
            write("PERMANENTFLAGS ")
            flagList(system, keywords, last: canCreate ? "\\*" : nil)
        case .uidNext(let uid):
            write("UIDNEXT ")
            number(uid)
        case .uidValidity(let validity):
            write("UIDVALIDITY ")
            number(validity)
        case .unseen(let sequenceNumber):
            write("UNSEEN ")
            number(sequenceNumber)
        }
    }
}
