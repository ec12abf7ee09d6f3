import TestSupport
/// The grammar of ENVELOPE and BODYSTRUCTURE (RFC 9051 §9), asked of a response that was read by somebody else's reader.
enum StructureRules {
    static func envelope(_ node: ResponseNode) throws {
        guard case .list(let fields) = node, fields.count
              == 10 else { throw MalformedResponse("an envelope of other than ten") }
        for index in [0, 1, 8, 9] { try nstring(fields[index]) }
        for field in fields[2...7] where field != .atom("NIL") {
            guard case .list(let addresses) = field,
                  !addresses.isEmpty else { throw MalformedResponse("an empty list of addresses") }
            var isInGroup = false
            for address in addresses {
                guard case .list(let parts) = address, parts.count
                      == 4 else { throw MalformedResponse("an address of other than four") }
                for part in parts { try nstring(part) }
                if parts[3] == .atom("NIL") {
                    // A group's start has a name, its end has not.
                    guard isInGroup == (parts[2]
                          == .atom("NIL")) else { throw MalformedResponse("a group within or without a group") }
                    isInGroup.toggle()
                } else if parts[2] == .atom("NIL") { throw MalformedResponse("a host without a mailbox") }
            }
            if isInGroup { throw MalformedResponse("a group without end") }
        }
    }

    static func body(_ node: ResponseNode, isExtended: Bool) throws {
        guard case .list(let fields) = node, let first = fields.first else { throw MalformedResponse("an empty body") }
        if case .list = first {
            let children = fields.prefix { if case .list = $0 { true } else { false } }
            for child in children { try body(child, isExtended: isExtended) }
            let rest = fields.dropFirst(children.count)
            guard rest.count == (isExtended ? 5 : 1),
                  let subtype = rest.first else { throw MalformedResponse("a multipart of \(rest.count)") }
            try string(subtype)
            guard isExtended else { return }
            let extension_ = Array(rest.dropFirst())
            try parameters(extension_[0])
            try disposition(extension_[1])
            try language(extension_[2])
            try nstring(extension_[3])
            return
        }
        try string(fields[0])
        try string(fields[1])
        guard fields.count >= 7 else { throw MalformedResponse("a body of \(fields.count)") }
        try parameters(fields[2])
        try nstring(fields[3])
        try nstring(fields[4])
        try string(fields[5])
        try number(fields[6])
        var at = 7
        let type = fields[0].bytes?.text.lowercased(), subtype = fields[1].bytes?.text.lowercased()
        if type == "text" {
            try number(fields[at])
            at += 1
        } else if type == "message", subtype == "rfc822" || subtype == "global" {
            guard fields.count >= 10 else { throw MalformedResponse("a message of \(fields.count)") }
            try envelope(fields[7])
            try body(fields[8], isExtended: isExtended)
            try number(fields[9])
            at = 10
        }
        guard fields.count == at + (isExtended ? 4 : 0) else { throw MalformedResponse("\(fields.count - at) more fields") }
        guard isExtended else { return }
        try nstring(fields[at])
        try disposition(fields[at + 1])
        try language(fields[at + 2])
        try nstring(fields[at + 3])
    }

    private static func string(_ node: ResponseNode) throws {
        guard case .string(let bytes, let form) = node else { throw MalformedResponse("no string: \(node)") }
        if form == .literal8 || bytes.contains(0) { throw MalformedResponse("a NUL") }
    }

    private static func nstring(_ node: ResponseNode) throws {
        if node != .atom("NIL") { try string(node) }
    }

    private static func number(_ node: ResponseNode) throws {
        guard let text = node.atomText, UInt64(text) != nil else { throw MalformedResponse("no number") }
    }

    private static func parameters(_ node: ResponseNode) throws {
        if node == .atom("NIL") { return }
        guard case .list(let nodes) = node, !nodes.isEmpty, nodes.count % 2
              == 0 else { throw MalformedResponse("bad parameters") }
        for node in nodes { try string(node) }
    }

    private static func disposition(_ node: ResponseNode) throws {
        if node == .atom("NIL") { return }
        guard case .list(let nodes) = node, nodes.count == 2 else { throw MalformedResponse("a bad disposition") }
        try string(nodes[0])
        try parameters(nodes[1])
    }

    private static func language(_ node: ResponseNode) throws {
        guard case .list(let nodes) = node else { return try nstring(node) }
        guard !nodes.isEmpty else { throw MalformedResponse("an empty list of languages") }
        for node in nodes { try string(node) }
    }
}
