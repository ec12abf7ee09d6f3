import Glibc
import IMAPTypes

/// A message's file name: `<base>:2,<flags>`. The base name is opaque and is the message's identity.
enum FileName {
    static let longest = 255

    /// What stands between the base name and the flags.
    static let mark: [UInt8] = Array(":2,".utf8)

    /// Where the base name ends: at the first colon.
    static func baseEnd(_ name: UnsafeRawBufferPointer) -> Int {
        guard let start = name.baseAddress, let colon = memchr(start, 0x3A, name.count) else { return name.count }
        return colon - UnsafeMutableRawPointer(mutating: start)
    }

    /// What the part after the base name says.
    struct Info: Equatable {
        /// The system flags among the letters after the last `:2,`.
        var flags: SystemFlags = []
        /// Whether it is exactly what we would write: nothing at all, or `:2,` with the letters of `flags` in order.
        var isPlain = true
        /// Whether there is anything.
        var isPresent = false
    }

    /// Reads `:2,<letters>`. `info` begins with the first colon, or is empty.
    static func info(_ info: UnsafeRawBufferPointer) -> Info {
        guard !info.isEmpty else { return Info() }
        var result = Info(flags: [], isPlain: false, isPresent: true)
        var colon = info.count - 1
        while colon >= 0, info[colon] != 0x3A { colon -= 1 }
        guard colon >= 0, info.count - colon >= 3, info[colon + 1] == UInt8(ascii: "2"), info[colon + 2] == UInt8(ascii: ",")
        else { return result }
        var before: UInt8 = 0
        result.isPlain = colon == 0
        for at in colon + 3..<info.count {
            let letter = info[at]
            // "A further , after the flags starts another flag set": it is kept and not understood.
            if letter == UInt8(ascii: ",") {
                result.isPlain = false
                break
            }
            let flag = flag(letter)
            if let flag { result.flags.insert(flag) }
            if flag == nil || letter <= before { result.isPlain = false }
            before = letter
        }
        return result
    }

    /// The info part with other system flags: letters that we do not know stay, in ASCII order with ours.
    static func info(_ old: some Collection<UInt8>, with flags: SystemFlags) -> [UInt8] {
        var kept: [UInt8] = []
        var rest: ArraySlice<UInt8> = []
        let old = Array(old)
        if let colon = old.lastIndex(of: 0x3A), old.count - colon >= 3,
           old[colon + 1] == UInt8(ascii: "2"), old[colon + 2] == UInt8(ascii: ",") {
            let letters = old[(colon + 3)...]
            let end = letters.firstIndex(of: UInt8(ascii: ",")) ?? letters.endIndex
            kept = letters[..<end].filter { flag($0) == nil }
            rest = letters[end...]
        }
        return mark + (kept + letters(flags)).sorted() + rest
    }

    /// In ASCII order.
    static func letters(_ flags: SystemFlags) -> [UInt8] {
        var letters: [UInt8] = []
        if flags.contains(.draft) { letters.append(UInt8(ascii: "D")) }
        if flags.contains(.flagged) { letters.append(UInt8(ascii: "F")) }
        if flags.contains(.answered) { letters.append(UInt8(ascii: "R")) }
        if flags.contains(.seen) { letters.append(UInt8(ascii: "S")) }
        if flags.contains(.deleted) { letters.append(UInt8(ascii: "T")) }
        return letters
    }

    static func flag(_ letter: UInt8) -> SystemFlags? {
        switch letter {
        case UInt8(ascii: "D"): .draft
        case UInt8(ascii: "F"): .flagged
        case UInt8(ascii: "R"): .answered
        case UInt8(ascii: "S"): .seen
        case UInt8(ascii: "T"): .deleted
        default: nil
        }
    }

    /// The fields `,S=` and `,W=` of a base name, which go along with a copy; `,U=` and others belong to one file.
    static func sizes(of base: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        for field in base.split(separator: UInt8(ascii: ",")).dropFirst() {
            guard field.count > 2, field.count <= 22, let key = field.first, key == UInt8(ascii: "S") || key == UInt8(ascii: "W"),
                  field[field.startIndex + 1] == UInt8(ascii: "="),
                  field.dropFirst(2).allSatisfy({ (0x30...0x39).contains($0) }) else { continue }
            result.append(UInt8(ascii: ","))
            result.append(contentsOf: field)
        }
        return result.count <= 48 ? result : []
    }

    /// The field `,G=` of a base name: the id of a message that is a copy.
    static func carriedID(of base: UnsafeRawBufferPointer) -> ObjectID? {
        let count = idField.count + 22
        var at = 0
        // Most names have no field at all.
        while at < base.count, let start = base.baseAddress, let comma = memchr(start + at, 0x2C, base.count - at) {
            at = UnsafeRawPointer(comma) - start
            let field = base[at...].prefix(count)
            if field.starts(with: idField), field.endIndex == base.endIndex || base[field.endIndex] == UInt8(ascii: ",") {
                return ObjectID(base64: field.dropFirst(idField.count))
            }
            at += 1
        }
        return nil
    }

    static func field(carrying id: ObjectID) -> [UInt8] { idField + id.base64 }

    private static let idField = Array(",G=".utf8)

    /// When a message came into its mailbox (RFC 8514), in seconds since the epoch: the time with which its name begins, as
    /// whoever puts a file into a Maildir makes a name of that moment. So it is the same again if side files are lost. Of a name
    /// without a time that can be true, `now`.
    static func saveDate(_ key: ArrivalKey, now: Int64) -> Int64 {
        let seconds = Int64(key.seconds)
        return (firstMaildir...max(firstMaildir, now)).contains(seconds) ? seconds : now
    }

    /// 1995: there was no Maildir before.
    private static let firstMaildir: Int64 = 788_918_400

    /// Whether a name in new/ or cur/ can be a message at all: no line end, which other programs' lists could not hold,
    /// not a hidden file, and a base name that is not empty.
    static func isMessage(_ name: UnsafeRawBufferPointer) -> Bool {
        guard let first = name.first, let start = name.baseAddress, first != UInt8(ascii: "."), first != 0x3A
        else { return false }
        return memchr(start, 0x0A, name.count) == nil && memchr(start, 0x0D, name.count) == nil
    }

    /// The order in which new messages get their UIDs: by the seconds the name begins with, then by its microseconds, then by
    /// bytes. Names without microseconds come before those of the same second that have them. Numbers that no clock tells count
    /// as equally late: there, bytes decide.
    struct ArrivalKey: Comparable {
        /// Seconds, and in the lower bits one more than the microseconds, or 0.
        let value: UInt64
        private static let microsecondBits: UInt64 = 20

        var seconds: UInt64 { value >> Self.microsecondBits }

        init(_ base: UnsafeRawBufferPointer) {
            var at = 0
            func digits(atMost limit: UInt64) -> UInt64? {
                let start = at
                var value: UInt64 = 0
                while at < base.count, (0x30...0x39).contains(base[at]), at - start < 18 {
                    value = value * 10 + UInt64(base[at] - 0x30)
                    at += 1
                }
                return at > start ? min(value, limit) : nil
            }
            func microseconds() -> UInt64 {
                // In the part between the first two dots.
                guard at < base.count, base[at] == UInt8(ascii: ".") else { return 0 }
                repeat {
                    at += 1
                    if at >= base.count || base[at] == UInt8(ascii: ".") || base[at] == UInt8(ascii: ",") { return 0 }
                } while base[at] != UInt8(ascii: "M")
                at += 1
                return digits(atMost: 1 << Self.microsecondBits - 2).map { $0 + 1 } ?? 0
            }
            let seconds = digits(atMost: .max >> Self.microsecondBits) ?? 0
            value = seconds << Self.microsecondBits | microseconds()
        }

        static func < (a: ArrivalKey, b: ArrivalKey) -> Bool { a.value < b.value }
    }
}

/// Makes base names that nobody made before: `<seconds>.M<microseconds>P<process>Q<counter>.<host>`.
///
/// The counter begins at random in each store, so that threads of one process do not meet; and files are created
/// exclusively in any case.
struct UniqueNames {
    private let tail: [UInt8]
    private var counter = UInt32.random(in: 0 ... .max)

    init() {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, 255)
        var host: [UInt8] = []
        // Long host names would leave no room for flags.
        for byte in buffer.prefix(while: { $0 != 0 }).map({ UInt8(bitPattern: $0) }).prefix(100) {
            switch byte {
            case UInt8(ascii: "/"): host += Array("\\057".utf8)
            case UInt8(ascii: ":"): host += Array("\\072".utf8)
            case 0...0x20, 0x7F, UInt8(ascii: ","): host.append(UInt8(ascii: "_"))
            default: host.append(byte)
            }
        }
        tail = [UInt8(ascii: ".")] + (host.isEmpty ? Array("localhost".utf8) : host)
    }

    mutating func next() -> [UInt8] {
        counter &+= 1
        let time = now()
        var name: [UInt8] = []
        name.reserveCapacity(48 + tail.count)
        func append(_ letter: UInt8?, _ number: Int64) {
            if let letter { name.append(letter) }
            let start = name.count
            var rest = max(number, 0)
            repeat {
                name.append(UInt8(ascii: "0") + UInt8(rest % 10))
                rest /= 10
            } while rest > 0
            name[start...].reverse()
        }
        append(nil, time / 1_000_000_000)
        name.append(UInt8(ascii: "."))
        append(UInt8(ascii: "M"), time / 1000 % 1_000_000)
        append(UInt8(ascii: "P"), Int64(getpid()))
        append(UInt8(ascii: "Q"), Int64(counter))
        return name + tail
    }
}
