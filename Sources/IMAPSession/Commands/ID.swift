import IMAPGrammar
import Logging

extension Authenticated {
    /// ID (RFC 2971). What the client says of itself is for the log, and changes nothing that we do.
    func id(_ fields: [IDField]?) -> Completion {
        if let fields, !fields.isEmpty {
            // One value: names that the client makes up must not pass for ours.
            let identity = fields.map { Self.printable($0.name) + "=" + Self.printable($0.value ?? []) }.joined(separator: " ")
            logger.info("client", metadata: ["id": "\(identity)"])
            wire.record.setClient(identity)
        }
        wire.out.id(settings.identity.map { IDField(name: Array($0.name.utf8), value: Array($0.value.utf8)) })
        return .ok("ID completed")
    }

    /// Nothing in the log but what can be seen, and not much of it.
    private static func printable(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(128).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
