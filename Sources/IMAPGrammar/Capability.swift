/// What is advertised, and when. Every name here is fully true in the state that it is listed for.
public enum Capability {
    /// True in every state.
    static let always = ["IMAP4rev2", "IMAP4rev1", "LITERAL+", "ID", "ENABLE", "SASL-IR"]

    /// Before login. `mechanisms` are SASL names in order of preference; without any, LOGIN is refused too.
    public static func beforeLogin(startTLS: Bool, mechanisms: [String]) -> [String] {
        always + (startTLS ? ["STARTTLS"] : []) + (mechanisms.isEmpty ? ["LOGINDISABLED"] : mechanisms.map { "AUTH=" + $0 })
    }

    /// After login.
    public static let afterLogin = always.filter { $0 != "SASL-IR" } + [
        "BINARY", "CHILDREN", "CONDSTORE", "CREATE-SPECIAL-USE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE",
        "MULTIAPPEND", "NAMESPACE", "OBJECTID", "PREVIEW", "QRESYNC", "SAVEDATE", "SEARCHRES", "SORT", "SPECIAL-USE", "STATUS=SIZE", "THREAD=ORDEREDSUBJECT",
        "THREAD=REFERENCES", "UIDPLUS", "UNSELECT", "UTF8=ACCEPT",
    ]
}
