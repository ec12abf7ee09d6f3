import Authentication
import Glibc

/// One line of a password file:
///
///     name:password:uid:gid:home
///     name/label:password:expiry
///
/// The first is a user, the second a further password of one: an app password, whose label tells what it is for.
public struct PasswordLine: Sendable, Equatable {
    /// Whom a user's processes belong to.
    public struct Owner: Sendable, Equatable {
        public var uid: uid_t
        public var gid: gid_t
        public var home: String

        public init(uid: uid_t, gid: gid_t, home: String) {
            self.uid = uid
            self.gid = gid
            self.home = home
        }
    }

    public var user: String
    /// Of an app password.
    public var label: String?
    public var password: StoredPassword
    /// `nil`: what the system says of the account of this name.
    public var owner: Owner?
    /// The last day on which an app password is good.
    public var expiry: Day?

    public init(user: String, label: String? = nil, password: StoredPassword, owner: Owner? = nil, expiry: Day? = nil) {
        self.user = user
        self.label = label
        self.password = password
        self.owner = owner
        self.expiry = expiry
    }

    /// What is wrong with a line.
    public struct Malformed: Error, Equatable {
        public var reason: String
    }

    /// `nil` for an empty line and for a comment, which begins with "#".
    public static func parse(_ bytes: some Collection<UInt8>) throws(Malformed) -> PasswordLine? {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Malformed(reason: "it is not UTF-8") }
        guard !text.isEmpty, text.first != "#" else { return nil }
        let fields = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let name = fields[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard isName(name[0]) else { throw Malformed(reason: "a user's name is missing, or cannot be one") }
        guard fields.count > 1 else { throw Malformed(reason: "there is no password") }
        guard let password = StoredPassword(text: fields[1]) else {
            throw Malformed(reason: "the password is no hash that crypt(3) knows, and not {SCRAM-SHA-256}")
        }
        if name.count == 2 {
            guard isLabel(name[1]) else {
                throw Malformed(reason: "the label is empty, or has a character that it must not have")
            }
            guard fields.count <= 3 else { throw Malformed(reason: "an app password has name/label, password and expiry") }
            let expiry = fields.count == 3 && !fields[2].isEmpty ? fields[2] : nil
            let day = expiry.flatMap { Day($0) }
            guard (expiry == nil) == (day == nil) else { throw Malformed(reason: "the expiry is no day like 2027-01-31") }
            return PasswordLine(user: name[0], label: name[1], password: password, expiry: day)
        }
        if fields.dropFirst(2).allSatisfy(\.isEmpty) { return PasswordLine(user: name[0], password: password) }
        guard fields.count == 5 else { throw Malformed(reason: "a user has name, password, uid, gid and home") }
        guard let uid = uid_t(fields[2]), let gid = gid_t(fields[3]), uid != .max, gid != .max else {
            throw Malformed(reason: "uid or gid is not a number")
        }
        guard uid != 0 else { throw Malformed(reason: "nobody's mail belongs to root") }
        guard fields[4].first == "/", !fields[4].contains("\0") else { throw Malformed(reason: "home is not an absolute path") }
        return PasswordLine(user: name[0], password: password, owner: Owner(uid: uid, gid: gid, home: fields[4]))
    }

    public var text: String {
        if let label { return "\(user)/\(label):\(password.text)" + (expiry.map { ":\($0)" } ?? "") }
        return "\(user):\(password.text)" + (owner.map { ":\($0.uid):\($0.gid):\($0.home)" } ?? "")
    }

    /// Whether a user may have this name: what a client may send, without what separates fields.
    public static func isName(_ name: String) -> Bool {
        Credentials(user: Array(name.utf8), password: Secret([])) != nil
            && !name.utf8.contains { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") } && name.first != "#"
            && name != "." && name != ".."
    }

    /// 1 to 64 letters, digits, ".", "-" and "_" of ASCII, the first of them no ".".
    public static func isLabel(_ label: String) -> Bool {
        (1...64).contains(label.utf8.count) && label.first != "."
            && label.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                     UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
}

/// A day, in UTC.
public struct Day: Sendable, Equatable, Comparable, CustomStringConvertible {
    /// Since 1970-01-01.
    public var number: Int

    public init(number: Int) { self.number = number }

    public static var today: Day { Day(number: time(nil) / 86_400) }

    /// `2027-01-31`; `nil` for a day that is in no calendar.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.utf8.count) == [4, 2, 2],
              let year = Int32(parts[0]), let month = Int32(parts[1]), let day = Int32(parts[2]), year >= 1970
        else { return nil }
        var fields = tm()
        fields.tm_year = year - 1900
        fields.tm_mon = month - 1
        fields.tm_mday = day
        number = timegm(&fields) / 86_400
        // timegm(3) takes a 30th of February for a day in March.
        guard fields.tm_mon == month - 1, fields.tm_mday == day else { return nil }
    }

    public var description: String {
        var seconds = number * 86_400
        var fields = tm()
        gmtime_r(&seconds, &fields)
        func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(fields.tm_year + 1900)-\(padded(fields.tm_mon + 1))-\(padded(fields.tm_mday))"
    }

    public static func < (first: Day, second: Day) -> Bool { first.number < second.number }
}
