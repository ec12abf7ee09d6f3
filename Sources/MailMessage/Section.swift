/// What of an entity a section names (RFC 9051 §6.4.5.1).
public enum SectionPart: Sendable {
    /// HEADER, and what HEADER.FIELDS choose from: of the message, or of the message within a message/rfc822 part.
    case header
    /// TEXT, of the same.
    case text
    /// MIME: the part's own header.
    case mime
}

extension MessageStructure {
    /// The part with that number (RFC 9051 §6.4.5.1), or `nil`. The message itself for an empty `path`.
    public func part(_ path: some Sequence<UInt32>) -> Index? {
        guard !parts.isEmpty else { return nil }
        var current = Self.root
        // Whether `current` is a message in which numbers begin anew, and not itself a numbered part.
        var isMessage = true
        for number in path {
            if !isMessage, parts[current].kind == .message, let child = parts[current].firstChild {
                current = child
                isMessage = true
            }
            if parts[current].kind == .multipart {
                guard let child = child(number, of: current) else { return nil }
                current = child
            } else {
                // A message that is no multipart has one part, its text.
                guard isMessage, number == 1 else { return nil }
            }
            isMessage = false
        }
        return current
    }

    private func child(_ number: UInt32, of part: Index) -> Index? {
        guard number > 0 else { return nil }
        var next = parts[part].firstChild
        var left = number
        while let child = next {
            left -= 1
            if left == 0 { return child }
            next = parts[child].next
        }
        return nil
    }

    /// The bytes that a section names, or `nil` if there is no such section.
    public func extent(_ path: some Collection<UInt32>, _ section: SectionPart?) -> Extent? {
        guard let index = part(path) else { return nil }
        switch section {
        case nil: return path.isEmpty ? whole : parts[index].body
        case .mime: return path.isEmpty ? nil : parts[index].header
        case .header: return message(path, index).map { parts[$0].header }
        case .text: return message(path, index).map { parts[$0].body }
        }
    }

    /// The message of which HEADER and TEXT are told.
    private func message(_ path: some Collection<UInt32>, _ index: Index) -> Index? {
        if path.isEmpty { return index }
        return parts[index].kind == .message ? parts[index].firstChild : nil
    }
}
