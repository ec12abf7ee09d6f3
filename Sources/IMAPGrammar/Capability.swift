/// What is advertised, and when. Every name here is fully true in the state that it is listed for.
public enum Capability {
    /// True in every state.
    static let always = ["IMAP4rev2", "IMAP4rev1", "LITERAL+", "ID", "ENABLE", "SASL-IR"]

    /// Before login. `mechanisms` are SASL names in order of preference; if there is none of passwords among them, LOGIN is
    /// refused too.
    public static func beforeLogin(startTLS: Bool, mechanisms: [String], acceptsPasswords: Bool? = nil) -> [String] {
        always + (startTLS ? ["STARTTLS"] : []) + (acceptsPasswords ?? !mechanisms.isEmpty ? [] : ["LOGINDISABLED"])
            + mechanisms.map { "AUTH=" + $0 }
    }

    /// Which nobody can do without.
    private static let necessary = ["IMAP4rev1", "STARTTLS", "LOGINDISABLED"]

    /// Those that an administrator may keep to himself.
    public static func optional(mechanisms: [String]) -> [String] {
        let before = beforeLogin(startTLS: true, mechanisms: mechanisms)
        return (before + afterLogin.filter { !before.contains($0) }).filter { !necessary.contains($0) }
    }

    /// After login.
    public static let afterLogin = always.filter { $0 != "SASL-IR" } + [
        "BINARY", "CHILDREN", "CONDSTORE", "CREATE-SPECIAL-USE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE",
        "MULTIAPPEND", "NAMESPACE", "OBJECTID", "PREVIEW", "QRESYNC", "SAVEDATE", "SEARCHRES", "SORT", "SPECIAL-USE",
        "STATUS=SIZE", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "UIDPLUS", "UNSELECT", "UTF8=ACCEPT",
    ]
}
