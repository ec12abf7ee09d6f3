import Glibc
import MailStore

/// The counter of UIDVALIDITYs that Dovecot keeps for an account: `dovecot-uidvalidity` has the last one in 8 hexadecimal digits,
/// and so has the name of `dovecot-uidvalidity.<8 digits>`, whose renaming counts.
enum DovecotCounter {
    private static let name = Array("dovecot-uidvalidity".utf8)

    /// 0 if there is none.
    static func last(in maildir: Handle) -> UInt32 {
        guard let file = maildir.open(name, O_RDONLY | O_NOFOLLOW),
              file.status()?.isRegular == true else { return 0 }
        let last = file.read(at: 0, count: 8).flatMap { value($0) } ?? 0
        return counts(in: maildir).map(\.value).reduce(last, max)
    }

    /// For Dovecot to go on behind `value`, if it is not beyond that.
    static func raise(in maildir: Handle, to value: UInt32) throws(StoreError) {
        guard last(in: maildir) < value else { return }
        let digits = Array(hexadecimalText(UInt64(value), 8).utf8)
        let old = counts(in: maildir).map(\.file)
        guard maildir.open(name + [UInt8(ascii: ".")] + digits, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o444) != nil else {
            throw failure("creating", name)
        }
        for file in old { _ = maildir.unlink(file) }
        try maildir.replaceFile(name, with: digits)
    }

    private static func counts(in maildir: Handle) -> [(file: [UInt8], value: UInt32)] {
        var counts: [(file: [UInt8], value: UInt32)] = []
        _ = forEachName(in: maildir) { found, _ in
            guard found.count == name.count + 9, found.starts(with: name), found[name.count] == UInt8(ascii: "."),
                  let value = value(found[(name.count + 1)...]) else { return }
            counts.append((Array(found), value))
        }
        return counts
    }

    private static func value(_ digits: some Collection<UInt8>) -> UInt32? {
        guard digits.count == 8, digits.first != UInt8(ascii: "+") else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
