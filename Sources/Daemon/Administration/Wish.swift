import Gate
import Glibc
import Transport

/// What an answerer asks the listener to do. Said once, and only by one that an administrator talks to.
enum Wish: LineMessage {
    case kickProcess(pid_t)
    case kickUser(String)
    /// Connections from this network.
    case kickNetwork(IPNetwork)
    /// What this address, or this user, owes is forgiven.
    case forgiveNetwork(IPNetwork)
    case forgiveUser(String)
    case reload
    case stop
    /// The program that is now where this one was takes over.
    case upgrade

    private static let longestName = 255
    static let longest = 1 + 4 + longestName

    var passesDescriptor: Bool { false }

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .kickProcess(let process):
            writer.byte(0)
            writer.number(UInt32(bitPattern: process))
        case .kickUser(let user):
            writer.byte(1)
            writer.string(user.utf8.prefix(Self.longestName))
        case .kickNetwork(let network):
            writer.byte(2)
            writer.string("\(network)".utf8)
        case .forgiveNetwork(let network):
            writer.byte(3)
            writer.string("\(network)".utf8)
        case .forgiveUser(let user):
            writer.byte(4)
            writer.string(user.utf8.prefix(Self.longestName))
        case .reload: writer.byte(5)
        case .stop: writer.byte(6)
        case .upgrade: writer.byte(7)
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        let kind = reader.byte()
        switch kind {
        case 0:
            guard let process = reader.number(), process > 0, process <= pid_t.max else { return nil }
            self = .kickProcess(pid_t(process))
        case 1, 4:
            guard let user = reader.text(atMost: Self.longestName), !user.isEmpty else { return nil }
            self = kind == 1 ? .kickUser(user) : .forgiveUser(user)
        case 2, 3:
            guard let text = reader.text(atMost: 64), let network = try? IPNetwork(text) else { return nil }
            self = kind == 2 ? .kickNetwork(network) : .forgiveNetwork(network)
        case 5: self = .reload
        case 6: self = .stop
        case 7: self = .upgrade
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}

/// What the listener answers to a wish.
enum Grant: LineMessage, Equatable {
    /// How many it was about.
    case done(Int)
    /// What is wrong, line by line.
    case failed(String)

    private static let longestText = 16_000
    static let longest = 1 + 4 + longestText

    var passesDescriptor: Bool { false }

    var wire: [UInt8] {
        var writer = WireWriter()
        switch self {
        case .done(let count):
            writer.byte(0)
            writer.number(UInt32(clamping: count))
        case .failed(let text):
            writer.byte(1)
            writer.string(text.utf8.prefix(Self.longestText))
        }
        return writer.bytes
    }

    init?(wire: [UInt8]) {
        var reader = WireReader(wire)
        switch reader.byte() {
        case 0:
            guard let count = reader.number() else { return nil }
            self = .done(Int(count))
        case 1:
            guard let text = reader.string(atMost: Self.longestText) else { return nil }
            self = .failed(String(decoding: text, as: UTF8.self))
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }
}
