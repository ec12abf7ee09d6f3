import Foundation
import TestSupport
import Testing

/// What fuzzing has found worth keeping, inputs that once did harm among them, without libFuzzer. Targets with files share a
/// directory: one after the other.
@Suite(.serialized)
struct CorpusTests {
    @Test("does no harm", arguments: targets.keys.sorted())
    func kept(target: String) throws {
        let run = try #require(targets[target])
        for input in try Corpus.fuzzing(target) { input.withUnsafeBytes(run) }
    }

    @Test("is of targets that there are")
    func names() throws {
        #expect(Set(try Corpus.fuzzed()).isSubset(of: targets.keys))
    }
}
