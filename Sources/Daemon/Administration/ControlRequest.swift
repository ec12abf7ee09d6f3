import Glibc
import Transport

/// What an administrator asks over the control socket: a line of a word and what belongs to it, separated by a space.
///
///     who
///     stats
///     limits
///     kick user NAME | kick process NUMBER | kick network NETWORK
///     forgive user NAME | forgive network NETWORK
///     reload
///     stop
///     upgrade
enum ControlRequest: Equatable {
    case who, stats, limits
    case wish(Wish)

    /// Bytes of a request, its line's end among them.
    static let longest = 512

    struct Malformed: Error, Equatable {
        var reason: String
    }

    init(_ line: some Collection<UInt8>) throws(Malformed) {
        guard let text = String(validating: line, as: UTF8.self) else { throw Malformed(reason: "the request is not UTF-8") }
        let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        switch (words[0], words.count) {
        case ("who", 1): self = .who
        case ("stats", 1): self = .stats
        case ("limits", 1): self = .limits
        case ("reload", 1): self = .wish(.reload)
        case ("stop", 1): self = .wish(.stop)
        case ("upgrade", 1): self = .wish(.upgrade)
        case ("kick", 3): self = .wish(try Self.kick(words[1], words[2]))
        case ("forgive", 3): self = .wish(try Self.forgive(words[1], words[2]))
        default: throw Malformed(reason: "this imapd does not know the request")
        }
    }

    private static func kick(_ kind: String, _ whom: String) throws(Malformed) -> Wish {
        switch kind {
        case "user" where !whom.isEmpty && whom.utf8.count <= 255: return .kickUser(whom)
        case "process":
            guard let process = pid_t(whom), process > 0 else { throw Malformed(reason: "\(whom) is no process ID") }
            return .kickProcess(process)
        case "network": return .kickNetwork(try network(whom))
        default: throw Malformed(reason: "whom to kick is not clear")
        }
    }

    private static func forgive(_ kind: String, _ whom: String) throws(Malformed) -> Wish {
        switch kind {
        case "user" where !whom.isEmpty && whom.utf8.count <= 255: return .forgiveUser(whom)
        case "network": return .forgiveNetwork(try network(whom))
        default: throw Malformed(reason: "whom to forgive is not clear")
        }
    }

    private static func network(_ text: String) throws(Malformed) -> IPNetwork {
        do throws(IPNetwork.Malformed) { return try IPNetwork(text) } catch { throw Malformed(reason: "\(error)") }
    }
}
