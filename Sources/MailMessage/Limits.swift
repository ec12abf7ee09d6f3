/// What a message may make us hold. Beyond a limit the rest is taken as opaque text, so that there is always a result.
public enum Limits {
    /// Entities within entities. Real mail has up to about 10; every level costs a frame where the tree is written out.
    static let nesting = 64

    /// Entities in a message: digests of mailing lists have some hundreds.
    static let parts = 10_000

    /// Header bytes kept of one message, that of nested messages included. Recipients by the thousand fit.
    public static let headerRetained = 1 << 20

    /// Header fields kept of one message, that of its parts included; "To:" costs more to keep than to write.
    static let fields = 100_000

    /// A boundary has at most 70 characters (RFC 2046 §5.1.1); some programs use more.
    static let boundary = 512

    /// What is looked at of a line to know what it is: a delimiter with padding, or a field's name.
    static let lineStart = 1024

    /// Parameters of one Content-Type or Content-Disposition: an RFC 2231 file name in pieces has a few.
    static let parameters = 100

    /// Addresses in one envelope field; a BODYSTRUCTURE of ten thousand nested messages must not multiply without end.
    static let addresses = 10_000

    /// Comments within comments (RFC 5322 §3.2.2) need a counter only; this bounds a list of languages.
    static let languages = 100
}
