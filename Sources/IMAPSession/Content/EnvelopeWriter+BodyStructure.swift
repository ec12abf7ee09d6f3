import IMAPGrammar
import MailMessage

extension EnvelopeWriter {
    /// body            = "(" (body-type-1part / body-type-mpart) ")"
    ///
    /// With extension data for BODYSTRUCTURE, without for BODY. `MessageParser` limits how deep this goes.
    mutating func body(
        _ structure: borrowing MessageStructure, _ part: MessageStructure.Index, isExtended: Bool, into out: inout Serializer
    ) {
        out.open()
        if structure.parts[part].kind == .multipart {
            multipart(structure, part, isExtended: isExtended, into: &out)
        } else {
            singlePart(structure, part, isExtended: isExtended, into: &out)
        }
        out.close()
    }

    /// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
    private mutating func multipart(
        _ structure: borrowing MessageStructure, _ part: MessageStructure.Index, isExtended: Bool, into out: inout Serializer
    ) {
        var next = structure.parts[part].firstChild
        while let child = next {
            body(structure, child, isExtended: isExtended, into: &out)
            next = structure.parts[child].next
        }
        out.space()
        mediaType(structure, part, subtypeOnly: true, into: &out)
        guard isExtended else { return }
        // body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc …
        out.space()
        parameters(into: &out)
        disposition(structure, part, into: &out)
    }

    /// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
    private mutating func singlePart(
        _ structure: borrowing MessageStructure, _ part: MessageStructure.Index, isExtended: Bool, into out: inout Serializer
    ) {
        mediaType(structure, part, subtypeOnly: false, into: &out)
        out.space()
        parameters(into: &out)
        // body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
        out.space()
        optional(structure.value(.contentID, of: part), into: &out)
        out.space()
        optional(structure.value(.contentDescription, of: part), into: &out)
        out.space()
        encoding(structure.value(.contentTransferEncoding, of: part), into: &out)
        out.space()
        let size = structure.parts[part].body
        out.number(size.wireSize)
        switch structure.parts[part].kind {
        case .text:
            out.space()
            out.number(size.lines)
        case .message:
            // body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
            if let message = structure.parts[part].firstChild {
                out.space()
                envelope(structure, of: message, into: &out)
                out.space()
                body(structure, message, isExtended: isExtended, into: &out)
                out.space()
                out.number(size.lines)
            }
        case .basic, .multipart: break
        }
        guard isExtended else { return }
        // body-ext-1part  = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc …
        out.space()
        optional(structure.value(.contentMD5, of: part), into: &out)
        disposition(structure, part, into: &out)
    }

    /// Type and subtype, as the sender wrote them. Leaves the parameters in `field`.
    private mutating func mediaType(
        _ structure: borrowing MessageStructure, _ part: MessageStructure.Index, subtypeOnly: Bool, into out: inout Serializer
    ) {
        if !structure.parts[part].isOpaque, let value = structure.value(.contentType, of: part), field.parseContentType(value) {
            if !subtypeOnly {
                out.string(field[field.words[0]])
                out.space()
            }
            out.string(field[field.words[1]])
        } else if structure.parts[part].kind == .message {
            field.parseContentType(Self.message)
            out.write("\"MESSAGE\" \"RFC822\"")
        } else {
            // RFC 2045 §5.2.
            field.parseContentType(Self.plain)
            out.write("\"TEXT\" \"PLAIN\"")
        }
    }

    private static let message: ArraySlice<UInt8> = Array("message/rfc822".utf8)[...]
    private static let plain: ArraySlice<UInt8> = Array("text/plain; CHARSET=US-ASCII".utf8)[...]

    /// body-fld-param  = "(" string SP string *(SP string SP string) ")" / nil
    private func parameters(into out: inout Serializer) {
        guard !field.parameters.isEmpty else { return out.write("NIL") }
        out.parenthesized(field.parameters) { out, parameter in
            out.string(field[parameter.name])
            out.space()
            out.string(field[parameter.value])
        }
    }

    /// body-fld-enc    = (DQUOTE ("7BIT" / "8BIT" / "BINARY" / "BASE64"/ "QUOTED-PRINTABLE") DQUOTE) / string
    ///
    /// The token alone: clients compare it as it stands.
    private mutating func encoding(_ value: ArraySlice<UInt8>?, into out: inout Serializer) {
        if let value, field.parseDisposition(value) {
            out.string(field[field.words[0]])
        } else {
            out.write("\"7BIT\"")
        }
    }

    /// SP body-fld-dsp SP body-fld-lang SP body-fld-loc
    private mutating func disposition(
        _ structure: borrowing MessageStructure, _ part: MessageStructure.Index, into out: inout Serializer
    ) {
        out.space()
        if let value = structure.value(.contentDisposition, of: part), field.parseDisposition(value) {
            // body-fld-dsp    = "(" string SP body-fld-param ")" / nil
            out.open()
            out.string(field[field.words[0]])
            out.space()
            parameters(into: &out)
            out.close()
        } else {
            out.write("NIL")
        }
        out.space()
        if let value = structure.value(.contentLanguage, of: part), field.parseLanguages(value) {
            // body-fld-lang   = nstring / "(" string *(SP string) ")"
            out.parenthesized(field.words) { out, word in out.string(field[word]) }
        } else {
            out.write("NIL")
        }
        out.space()
        optional(structure.value(.contentLocation, of: part), into: &out)
    }

    /// An empty value says as little as none.
    private func optional(_ value: ArraySlice<UInt8>?, into out: inout Serializer) {
        if let value, !value.isEmpty { out.string(value) } else { out.write("NIL") }
    }
}
