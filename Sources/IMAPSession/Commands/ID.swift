import IMAPGrammar
import Logging

extension Authenticated {
    /// ID (RFC 2971). What the client says of itself is for the log, and changes nothing that we do.
    func id(_ fields: [IDField]?) -> Completion {
        if let fields, !fields.isEmpty {
            let identity = IDField.summary(of: fields)
            logger.info("client", metadata: ["id": "\(identity)"])
            wire.record.setClient(identity)
        }
        wire.out.id(settings.identity.map { IDField(name: Array($0.name.utf8), value: Array($0.value.utf8)) })
        return .ok("ID completed")
    }
}
