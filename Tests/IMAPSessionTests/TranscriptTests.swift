import Testing

/// A transcript and a store that it must hold for.
struct TranscriptCase: CustomTestStringConvertible, Sendable {
    let path: String
    let store: StoreKind

    var testDescription: String {
        "\(path.replacing(Transcript.directory.path + "/", with: "").replacing(".txt", with: "")) in \(store.rawValue)"
    }

    static func all(_ stores: [StoreKind]) -> [TranscriptCase] {
        Transcript.paths.flatMap { path in stores.map { TranscriptCase(path: path, store: $0) } }
    }
}

@Suite("Transcripts")
struct TranscriptTests {
    @Test("go as they are written", arguments: TranscriptCase.all(StoreKind.allCases))
    func transcript(_ test: TranscriptCase) { run(test, isChopped: false) }

    /// RFC 9051 §2.2: what a client says does not depend on how the network cuts it up.
    @Test("go the same byte by byte", arguments: TranscriptCase.all([.memory]))
    func chopped(_ test: TranscriptCase) { run(test, isChopped: true) }

    private func run(_ test: TranscriptCase, isChopped: Bool) {
        var line = 1
        do {
            let transcript = try TranscriptParser.read(path: test.path)
            guard transcript.onlyStore ?? test.store == test.store else { return }
            let account = try test.store.makeAccount(separator: transcript.separator)
            try TranscriptRunner.run(transcript, in: account, isChopped: isChopped)
        } catch {
            if let difference = error as? TranscriptRunner.Difference { line = difference.line }
            if let syntax = error as? TranscriptSyntaxError { line = syntax.line }
            let message = (error as? TranscriptRunner.Difference)?.message ?? "\(error)"
            Issue.record("\(test.path):\(line): \(message)",
                         sourceLocation: SourceLocation(fileID: "Transcripts/\(test.path.split(separator: "/").last ?? "")",
                                                        filePath: test.path, line: line, column: 1))
        }
    }
}
