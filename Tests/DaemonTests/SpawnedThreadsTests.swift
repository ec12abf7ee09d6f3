import TestSupport
import Testing

@Suite struct SpawnedThreadsTests {
    @Test("threads of a forked process can wait for each other")
    func threads() async throws {
        let outcome = try await Program.beside("escape").run(["contend"])
        #expect(outcome.status == 0, "\(outcome)")
    }
}
