import Foundation
import TestSupport
import Testing

/// `FaultSubject` does all that a session can do to a Maildir, and something goes wrong meanwhile: the process is killed, the
/// power fails, the disk is full, another program or another session is at work, files of ours are damaged. What was
/// acknowledged must be there afterwards, whole and with its UID, and the mailboxes must serve.
///
/// Each run sweeps from elsewhere, and says where. `IMAPD_TEST_THOROUGHNESS=100` tries every system call and every damage once, and a
/// hundred times as many random scripts, new ones.
@Suite struct FaultTests {
    private static let subject = Program.beside("FaultSubject")

    /// Runs it, and returns how many rounds there were, and in how many of them something did go wrong.
    private func run(_ arguments: String...) async throws -> (rounds: Int, hits: Int) {
        let directory = try TemporaryDirectory(inMemory: true)
        let outcome = try await Self.subject.run([directory.path("")] + arguments, deadline: .seconds(900 * thoroughness))
        #expect(outcome.status == 0, "\(outcome)")
        let words = outcome.output.split(separator: "\n").last?.split { $0 == " " || $0 == "," } ?? []
        try #require(words.first == "rounds" && words.count == 6, "\(outcome)")
        return (Int(words[1]) ?? 0, Int(words[3]) ?? 0)
    }

    /// What goes wrong, and at each how-many-th system call.
    struct Plan: Sendable, CustomTestStringConvertible {
        var fault: String
        var stride: Int
        /// For power cuts: which of what was not synced survives; 0: nothing.
        var seed = 0

        var testDescription: String { seed == 0 ? fault : "\(fault), seed \(seed)" }
    }

    static let plans = [
        Plan(fault: "kill", stride: 23), Plan(fault: "tear", stride: 53), Plan(fault: "cut", stride: 29),
        Plan(fault: "cut", stride: 37, seed: 1), Plan(fault: "noSpace", stride: 61), Plan(fault: "noSpaceOn", stride: 73),
        Plan(fault: "quota", stride: 97), Plan(fault: "io", stride: 47), Plan(fault: "ioOn", stride: 83),
        Plan(fault: "files", stride: 97), Plan(fault: "filesOn", stride: 89), Plan(fault: "access", stride: 97),
        Plan(fault: "short", stride: 97), Plan(fault: "interrupted", stride: 97), Plan(fault: "delivery", stride: 73),
        Plan(fault: "foreignFlag", stride: 79), Plan(fault: "foreignRemoval", stride: 83),
    ]

    @Test(arguments: plans)
    func `Whatever goes wrong, what was acknowledged is there`(_ plan: Plan) async throws {
        let stride = max(1, plan.stride / thoroughness)
        // Another place to begin with each time, so that in the end every call has had its turn.
        let first = Int.random(in: 1...stride)
        let (rounds, hits) = try await run("sweep", plan.fault, "\(first)", "\(stride)", "\(plan.seed)")
        // The faults did happen.
        #expect(rounds > 800 / stride)
        switch plan.fault {
        case "kill", "tear", "cut": #expect(hits >= rounds - 4)
        case "noSpaceOn", "ioOn", "filesOn": #expect(hits > rounds / 2)
        default: break
        }
    }

    /// The same scripts each time, so that who changes the store hears of that change only; others with
    /// `IMAPD_TEST_THOROUGHNESS`. Each problem is told with the seed of its round.
    @Test(arguments: [1, 601, 901, 1201] as [UInt32])
    func `Whatever sessions do, alone or beside others, what was acknowledged is there`(_ first: UInt32) async throws {
        let count = 100 * thoroughness, seed = thoroughness > 1 ? .random(in: .min ... .max) : first
        let (rounds, hits) = try await run("random", "\(seed)", "\(count)")
        #expect(rounds == count && hits > rounds / 3, "random \(seed) \(count)")
    }

    @Test func `Whatever happens to the files beside messages, no message is lost, and no UID given again`() async throws {
        let stride = max(1, 100 / thoroughness)
        let (rounds, _) = try await run("damage", "\(Int.random(in: 1...stride))", "\(stride)")
        #expect(rounds > 20_000 / stride)
    }

    @Test func `Nobody is told of what the log cannot keep yet`() async throws {
        #expect(try await run("taken-back").rounds == 4)
    }

    @Test func `One failure after the other leaves nothing half done`() async throws {
        #expect(try await run("cases").rounds == 6)
    }

    @Test func `Every kind of system call is counted`() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let outcome = try await Self.subject.run([directory.path(""), "counts"])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(!outcome.output.contains("PROBLEM"), "\(outcome)")
        let counts = outcome.output.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(counts.count == 15)
        // A log is cut short only after something went wrong.
        for count in counts where count[0] != "truncate" { #expect((Int(count[1]) ?? 0) > 0, "\(count[0])") }
    }
}
