import ArgumentParser

/// For whom it is told.
struct FormatOptions: ParsableArguments {
    @Flag(help: "For programs: each line is JSON.")
    var json = false
}

/// What is told, and to whom.
struct OutputOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "No progress, and no line about what is as it should be.")
    var quiet = false

    @OptionGroup var format: FormatOptions

    var json: Bool { format.json }

    /// Tells of work that is done: in words, unless nobody wants to hear of it, or in JSON.
    func tell(_ words: @autoclosure () -> String, _ members: @autoclosure () -> [(String, JSON)]) {
        if json { Output.line(JSON.object(members()).text) } else if !quiet { Output.line(words()) }
    }
}
