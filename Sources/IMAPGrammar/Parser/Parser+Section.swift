import IMAPTypes

extension Parser {
    /// Whether a section follows. Pine puts a space before it.
    var isSectionNext: Bool {
        next == UInt8(ascii: "[") || at + 1 < bytes.count && bytes[at] == UInt8(ascii: " ") && bytes[at + 1] == UInt8(ascii: "[")
    }

    /// section         = "[" [section-spec] "]"
    ///
    /// section-spec    = section-msgtext / (section-part ["." section-text])
    ///
    /// section-text    = section-msgtext / "MIME"
    mutating func section() throws(SyntaxError) -> Section {
        _ = accept(" ")
        try expect("[", "section")
        var section = Section()
        if accept("]") { return section }
        if let byte = next, byte.isDigit {
            section.part = try sectionPart()
            if accept(".") { section.text = accept("MIME") ? .mime : try sectionMsgtext() }
        } else {
            section.text = try sectionMsgtext()
        }
        try expect("]")
        return section
    }

    /// section-part    = nz-number *("." nz-number)
    ///
    /// Leaves a "." that no number follows: the section-text's.
    private mutating func sectionPart() throws(SyntaxError) -> [UInt32] {
        var part = [try nzNumber()]
        while at + 1 < bytes.count, bytes[at] == UInt8(ascii: "."), bytes[at + 1].isDigit {
            at += 1
            guard part.count < Limit.sectionDepth else { throw failure("no more parts") }
            part.append(try nzNumber())
        }
        return part
    }

    /// section-msgtext = "HEADER" /
    ///                   "HEADER.FIELDS" [".NOT"] SP header-list /
    ///                   "TEXT"
    private mutating func sectionMsgtext() throws(SyntaxError) -> SectionText {
        if accept("TEXT") { return .text }
        guard accept("HEADER") else { throw failure("section-text") }
        guard accept(".FIELDS") else { return .header }
        let isNot = accept(".NOT")
        try sp()
        let names = try headerList()
        return isNot ? .headerFieldsNot(names) : .headerFields(names)
    }

    /// header-list     = "(" header-fld-name *(SP header-fld-name) ")"
    private mutating func headerList() throws(SyntaxError) -> [[UInt8]] {
        var names: [[UInt8]] = []
        try parenthesized(atMost: Limit.headerFields) { (parser) throws(SyntaxError) in
            names.append(try parser.astring())
        }
        guard !names.isEmpty else { throw failure("header-fld-name") }
        return names
    }

    /// section-binary  = "[" [section-part] "]"
    mutating func sectionBinary() throws(SyntaxError) -> [UInt32] {
        try expect("[", "section-binary")
        if accept("]") { return [] }
        let part = try sectionPart()
        try expect("]")
        return part
    }

    /// partial         = "<" number64 "." nz-number64 ">"
    mutating func partial() throws(SyntaxError) -> Partial? {
        guard accept("<") else { return nil }
        let offset = try number64()
        try expect(".")
        let count = try nzNumber64()
        try expect(">")
        return Partial(offset: offset, count: count)
    }
}
