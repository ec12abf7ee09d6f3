import Gate
import Glibc
import IMAPSession
import Transport

/// How an estate is written down, and read.
extension Estate {
    /// Changes with every change of what follows, with one of what children and listener say to each other (`Order`, `Report`,
    /// `Wish`, `Grant`), and with one of `SessionRecord.Layout` or `CommandName` that is more than something new at the end.
    private static let version: UInt8 = 2

    var wire: [UInt8] {
        var writer = WireWriter(capacity: 4096)
        writer.byte(Self.version)
        writer.list(bound) { $0.bound($1) }
        writer.list(entrances) { writer, entrance in
            writer.byte(entrance.kind.rawValue)
            writer.string(entrance.place.utf8)
            writer.descriptor(entrance.descriptor)
        }
        writer.list(heirs) { $0.heir($1) }
        writer.list(clerks) { writer, clerk in
            writer.number(UInt32(bitPattern: clerk.process))
            writer.byte(clerk.kind.rawValue)
            writer.descriptor(clerk.line)
            writer.flag(clerk.hasWished)
            writer.flag(clerk.wantsSuccession)
        }
        writer.list(keepers) { writer, keeper in
            writer.number(UInt32(bitPattern: keeper.process ?? 0))
            writer.descriptor(keeper.listening)
        }
        writer.long(UInt64(descriptorLimit))
        writer.long(UInt64(clamping: started))
        writer.tallies(tallies)
        writer.list(Array(sourceDebts)) { writer, debt in
            writer.string(debt.key.address.bytes)
            writer.byte(UInt8(clamping: debt.key.length))
            writer.debt(debt.value)
        }
        writer.list(Array(userDebts)) { writer, debt in
            writer.string(debt.key.utf8)
            writer.debt(debt.value)
        }
        writer.text(pidFile)
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        guard reader.byte() == Self.version,
              let bound = reader.list({ $0.bound() }),
              let entrances = reader.list({ reader -> Entrance? in
                  guard let kind = reader.byte().flatMap({ Door.Kind(rawValue: $0) }), let place = reader.text(),
                        let descriptor = reader.descriptor(), let descriptor
                  else { return nil }
                  return Entrance(kind: kind, place: place, descriptor: descriptor)
              }),
              let heirs = reader.list({ $0.heir() }),
              let clerks = reader.list({ reader -> Clerk? in
                  guard let process = reader.process(), let kind = reader.byte().flatMap({ Door.Kind(rawValue: $0) }),
                        let line = reader.descriptor(), let hasWished = reader.flag(), let wantsSuccession = reader.flag()
                  else { return nil }
                  return Clerk(
                      process: process, kind: kind, line: line, hasWished: hasWished, wantsSuccession: wantsSuccession)
              }),
              let keepers = reader.list({ reader -> Keeper? in
                  guard let process = reader.number().flatMap({ pid_t(exactly: $0) }), let listening = reader.descriptor(),
                        let listening
                  else { return nil }
                  return Keeper(process: process > 1 ? process : nil, listening: listening)
              }),
              let limit = reader.long(), let started = reader.long(), let tallies = reader.tallies(),
              let sources = reader.list({ reader -> (IPNetwork, Debt)? in
                  guard let address = reader.string(atMost: 16).flatMap({ IPAddress($0) }), let length = reader.byte(),
                        let debt = reader.debt()
                  else { return nil }
                  return (IPNetwork(of: address, length: Int(length)), debt)
              }),
              let users = reader.list({ reader -> (String, Debt)? in
                  guard let user = reader.text(), let debt = reader.debt() else { return nil }
                  return (user, debt)
              }),
              let pidFile = reader.optionalText(), reader.isAtEnd
        else { return nil }
        self.bound = bound
        self.entrances = entrances
        self.heirs = heirs
        self.clerks = clerks
        self.keepers = keepers
        descriptorLimit = UInt(clamping: limit)
        self.started = Int(clamping: started)
        self.tallies = tallies
        sourceDebts = Dictionary(sources) { $1 }
        userDebts = Dictionary(users) { $1 }
        self.pidFile = pidFile
    }
}

// MARK: - Parts

extension WireWriter {
    fileprivate mutating func bound(_ bound: Estate.Bound) {
        flag(bound.place != nil)
        if let place = bound.place {
            string(place.host.utf8)
            number(UInt32(place.port))
            flag(place.implicitTLS)
        }
        list(bound.sockets) { writer, socket in
            writer.descriptor(socket.descriptor)
            writer.flag(socket.implicitTLS)
        }
    }

    fileprivate mutating func heir(_ heir: Estate.Heir) {
        number(UInt32(bitPattern: heir.process))
        descriptor(heir.line)
        descriptor(heir.page)
        number(UInt32(bitPattern: heir.gate ?? 0))
        byte(heir.due.byte)
        string(heir.peer.wire)
        text(heir.user)
        byte(heir.mechanism?.rawValue ?? .max)
        text(heir.tls)
        number(heir.age)
        long(UInt64(clamping: heir.since))
        flag(heir.isKicked)
    }

    fileprivate mutating func tallies(_ tallies: Tallies) {
        for count in tallies.counts { long(count) }
        list(Array(tallies.logins)) { writer, login in
            writer.string(login.key.result.utf8)
            writer.string(login.key.mechanism.utf8)
            writer.long(login.value)
        }
        for named in [tallies.refusals, tallies.crashes] {
            list(Array(named)) { writer, count in
                writer.string(count.key.utf8)
                writer.long(count.value)
            }
        }
        for words in [tallies.totals.counters, tallies.totals.latencies] { list(words) { $0.long($1) } }
    }
}

extension WireReader {
    fileprivate mutating func bound() -> Estate.Bound? {
        guard let hasPlace = flag() else { return nil }
        var place: Settings.Place?
        if hasPlace {
            guard let host = text(), let port = number().flatMap({ UInt16(exactly: $0) }), let implicitTLS = flag()
            else { return nil }
            place = Settings.Place(host: host, port: port, implicitTLS: implicitTLS)
        }
        return list { reader in
            guard let descriptor = reader.descriptor(), let descriptor, let implicitTLS = reader.flag() else { return nil }
            return Estate.Socket(descriptor: descriptor, implicitTLS: implicitTLS)
        }.map { Estate.Bound(place: place, sockets: $0) }
    }

    fileprivate mutating func heir() -> Estate.Heir? {
        guard let process = process(), let line = descriptor(), let page = descriptor(),
              let gate = number().flatMap({ pid_t(exactly: $0) }), let due = byte().flatMap({ DueReports(byte: $0) }),
              let peer = string(atMost: PeerAddress.longestWire),
              // Somebody without an Internet address has a port only.
              let peer = peer.count == 2 ? PeerAddress(nil, port: 0) : PeerAddress(wire: Array(peer)),
              let user = optionalText(), let mechanism = byte(), let tls = optionalText(), let age = number(), let since = long(),
              let isKicked = flag()
        else { return nil }
        return Estate.Heir(
            process: process, line: line, page: page, gate: gate > 1 ? gate : nil, due: due, peer: peer, user: user,
            mechanism: LoginAttempt.Mechanism(rawValue: mechanism), tls: tls, age: age, since: Int(clamping: since),
            isKicked: isKicked)
    }

    fileprivate mutating func tallies() -> Tallies? {
        var tallies = Tallies()
        for count in tallies.counts.indices {
            guard let value = long() else { return nil }
            tallies.counts[count] = value
        }
        guard let logins = list({ reader -> (Tallies.Login, UInt64)? in
            guard let result = reader.text(), let mechanism = reader.text(), let count = reader.long() else { return nil }
            return (Tallies.Login(result: result, mechanism: mechanism), count)
        }) else { return nil }
        func named(_ reader: inout WireReader) -> (String, UInt64)? {
            guard let name = reader.text(), let count = reader.long() else { return nil }
            return (name, count)
        }
        guard let refusals = list(named), let crashes = list(named), let counters = list({ $0.long() }),
              let latencies = list({ $0.long() })
        else { return nil }
        tallies.adopt(logins: logins, refusals: refusals, crashes: crashes)
        tallies.totals = SessionTotals(counters: counters, latencies: latencies)
        return tallies
    }
}

// MARK: - Values

extension WireWriter {
    fileprivate mutating func list<Element>(_ elements: [Element], _ write: (inout WireWriter, Element) -> Void) {
        number(UInt32(clamping: elements.count))
        for element in elements { write(&self, element) }
    }

    fileprivate mutating func long(_ value: UInt64) {
        number(UInt32(truncatingIfNeeded: value >> 32))
        number(UInt32(truncatingIfNeeded: value))
    }

    fileprivate mutating func flag(_ value: Bool) { byte(value ? 1 : 0) }

    fileprivate mutating func text(_ value: String?) {
        flag(value != nil)
        if let value { string(value.utf8) }
    }

    fileprivate mutating func descriptor(_ value: Int32?) { number(UInt32(bitPattern: value ?? -1)) }

    fileprivate mutating func debt(_ debt: Debt) {
        number(UInt32(clamping: debt.owed.secondsRoundedUp))
        flag(debt.isRefused)
    }
}

extension WireReader {
    /// Longest host, user, path.
    private static let longestText = 4096

    fileprivate mutating func list<Element>(_ read: (inout WireReader) -> Element?) -> [Element]? {
        guard let count = number() else { return nil }
        var elements: [Element] = []
        for _ in 0..<count {
            guard let element = read(&self) else { return nil }
            elements.append(element)
        }
        return elements
    }

    fileprivate mutating func long() -> UInt64? {
        guard let high = number(), let low = number() else { return nil }
        return UInt64(high) << 32 | UInt64(low)
    }

    fileprivate mutating func flag() -> Bool? { byte().flatMap { $0 <= 1 ? $0 == 1 : nil } }

    fileprivate mutating func text() -> String? { text(atMost: Self.longestText) }

    fileprivate mutating func optionalText() -> String?? {
        guard let isThere = flag() else { return nil }
        guard isThere else { return .some(nil) }
        return text().map { .some($0) }
    }

    fileprivate mutating func process() -> pid_t? { number().flatMap { pid_t(exactly: $0) }.flatMap { $0 > 1 ? $0 : nil } }

    /// Neither the standard streams nor anything that cannot be one; none is one, too.
    fileprivate mutating func descriptor() -> Int32?? {
        guard let number = number() else { return nil }
        if number == .max { return .some(nil) }
        return number >= 3 ? Int32(exactly: number).map { .some($0) } : nil
    }

    fileprivate mutating func debt() -> Debt? {
        guard let owed = number(), let isRefused = flag() else { return nil }
        return Debt(owed: .seconds(owed), isRefused: isRefused)
    }
}
