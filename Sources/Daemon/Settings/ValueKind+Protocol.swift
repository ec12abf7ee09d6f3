import Authentication
import IMAPGrammar
import IMAPSession
import IMAPTypes

/// Values that mean something to IMAP.

extension ValueKind where Value == String {
    /// Words for people (RFC 9051 §7.1).
    static var respText: Self {
        Self("TEXT") { (text) throws(Setting.BadValue) in
            guard RespText(Array(text.utf8)) != nil else {
                throw Setting.BadValue(reason: "it may hold printable ASCII characters only, at least one, and not begin with [")
            }
            return text
        }
    }

    /// A capability that can be hidden, by the name that it is told by.
    static var capability: Self {
        Self("CAPABILITY") { (text) throws(Setting.BadValue) in try hidden(text) }
    }
}

private func hidden(_ text: String) throws(Setting.BadValue) -> String {
    let names = Capability.optional(mechanisms: SASL.allCases.map(\.rawValue))
    if let name = names.first(where: { $0.uppercased() == text.uppercased() }) { return name }
    let hint = SettingName.nearest(to: text.uppercased(), among: names.map { $0.uppercased() }).map { "; did you mean \($0)?" }
    throw Setting.BadValue(reason: "there is no capability \"\(text)\" that can be hidden\(hint ?? "")")
}

extension ValueKind where Value == Settings.HiddenForUser {
    static var hiddenForUser: Self {
        Self("USER CAPABILITY", show: { "\($0.user) \($0.capabilities.joined(separator: " "))" }) {
            (text) throws(Setting.BadValue) in
            let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count > 1 else { throw Setting.BadValue(reason: "USER CAPABILITY ... is expected") }
            var capabilities: [String] = []
            for word in words.dropFirst() { capabilities.append(try hidden(word)) }
            return Settings.HiddenForUser(user: words[0], capabilities: capabilities)
        }
    }
}

extension ValueKind where Value == Settings.IdentityField {
    /// RFC 2971 §3.3: at most 30 bytes of name and 1024 of value.
    static var identityField: Self {
        Self("FIELD VALUE", show: { $0.name + ($0.value.map { " " + $0 } ?? "") }) { (text) throws(Setting.BadValue) in
            guard !text.isEmpty, text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw Setting.BadValue(reason: "FIELD VALUE, in printable ASCII characters, is expected")
            }
            let parts = text.split(separator: " ", maxSplits: 1).map { String($0.trimmingSpaces) }
            let value = parts.count > 1 ? parts[1] : nil
            guard let name = parts.first, name.utf8.count <= 30, value?.utf8.count ?? 0 <= 1024 else {
                throw Setting.BadValue(reason: "a field has at most 30 characters, and its value at most 1024")
            }
            return Settings.IdentityField(name: name, value: value)
        }
    }
}

extension ValueKind where Value == SpecialMailbox {
    /// The name may hold spaces.
    static var specialMailbox: Self {
        Self("MAILBOX USE", show: { "\($0.name.string) \($0.use.rawValue)" }) { (text) throws(Setting.BadValue) in
            let uses = SpecialUse.allCases.map(\.rawValue).joined(separator: " ")
            guard let space = text.lastIndex(of: " "),
                  let use = SpecialUse.allCases.first(where: {
                      $0.rawValue.lowercased() == text[text.index(after: space)...].lowercased()
                  })
            else { throw Setting.BadValue(reason: "a mailbox and one of \(uses) is expected") }
            guard let name = MailboxName(String(text[..<space].trimmingSpaces)), !name.isInbox else {
                throw Setting.BadValue(reason: "\"\(text[..<space])\" cannot be the name of such a mailbox")
            }
            return SpecialMailbox(name: name, use: use)
        }
    }
}
