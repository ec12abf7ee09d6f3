import Testing

/// A transcript and a store that it must hold for.
struct TranscriptCase: CustomTestStringConvertible, Sendable {
    let path: String
    let store: StoreKind

    var testDescription: String {
        "\(path.replacing(Transcript.directory.path + "/", with: "").replacing(".txt", with: "")) in \(store.rawValue)"
    }

    static let all: [TranscriptCase] = Transcript.paths.flatMap { path in
        StoreKind.allCases.map { TranscriptCase(path: path, store: $0) }
    }
}

@Suite("Transcripts")
struct TranscriptTests {
    @Test("go as they are written", arguments: TranscriptCase.all)
    func transcript(_ test: TranscriptCase) throws {
        var line = 1
        do {
            let transcript = try TranscriptParser.read(path: test.path)
            guard transcript.onlyStore ?? test.store == test.store else { return }
            try TranscriptRunner.run(transcript, in: test.store.makeAccount(separator: transcript.separator))
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
