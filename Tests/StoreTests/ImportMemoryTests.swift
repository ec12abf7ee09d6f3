import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import Testing
import TestSupport

/// What is remembered of another server's messages.
@Suite struct ImportMemoryTests {
    @Test func `Places are found again, in whatever order they came`() throws {
        var random = SeededGenerator(4711)
        for _ in 0..<50 {
            var places = ImportPlaces(), expected: [UInt32: UInt32] = [:]
            for there in (1...60).shuffled(using: &random) where Bool.random(using: &random) {
                // Mostly as they are, so that there are runs.
                let here = Int.random(in: 0..<8, using: &random) == 0 ? UInt32.random(in: 1...900, using: &random) : UInt32(there + 100)
                guard let a = UID(UInt32(there)), let b = UID(here) else { continue }
                places.insert(a, at: b)
                expected[UInt32(there)] = here
            }
            for candidate in [places, ImportPlaces(text: Array(places.text.utf8)[...])] {
                for there in 1...61 { #expect(candidate[UID(UInt32(there))!]?.rawValue == expected[UInt32(there)]) }
                #expect(candidate.uids.map(\.rawValue) == expected.keys.sorted())
            }
            let gone = UIDSet(20...30)
            places.remove(gone)
            for there in 1...61 {
                #expect(places[UID(UInt32(there))!]?.rawValue == ((20...30).contains(there) ? nil : expected[UInt32(there)]))
            }
        }
    }

    @Test(arguments: ["", ",", "1-2", "0-1:1", "2-1:5", "1-4294967295:2", "5-6:1,1-2:9", "x-y:z", "1-2:0"])
    func `Places that make no sense are none`(_ text: String) {
        let places = ImportPlaces(text: Array(text.utf8)[...])
        for uid in places.uids { #expect(places[uid] != nil) }
        #expect(places.uids.count <= 2)
    }

    @Test func `What is written is read again, and what cannot be read is not known`() throws {
        let account = try MaildirAccount()
        let store = try account.openMaildir()
        let target = ImportMemory.Target(id: ObjectID(low: 7, high: 8), uidValidity: 9)
        let origin = ImportMemory.Origin(server: "ann@example.org", mailbox: Array("Größe\t\n".utf8), uidValidity: 3)
        var known = ImportMemory.Known(uids: UIDSet(1...9))
        for uid in 1...9 as ClosedRange<UInt32> { known.places.insert(UID(uid)!, at: UID(uid + 3)!) }
        known.note(UIDSet(1...9), FlagSet())
        known.note(UIDSet(2...4), FlagSet(system: [.seen, .deleted], keywords: [Keyword("$Work")!, Keyword("b=c,d")!]))
        try ImportMemory(store).set(known, origin, in: target)
        func read(_ target: ImportMemory.Target) throws -> ImportMemory.Known { try ImportMemory(store).known(origin, in: target) }
        #expect(try read(target).uids == known.uids)
        #expect(try read(target).places == known.places)
        #expect(try read(target).flags == known.flags)
        // Other UIDs here: what came has come, but where it is nobody knows.
        var other = target
        other.uidValidity = 10
        #expect(try read(other).uids == known.uids)
        #expect(try read(other).places == ImportPlaces())
        other.id = ObjectID(low: 1, high: 1)
        #expect(try read(other).uids.isEmpty)

        known.forget(UIDSet(3...5))
        #expect(known.flags.values.allSatisfy { !$0.contains(3) } && known.places[4] == nil)
        #expect(known.uids.count == 9)

        // Lines of another program's, or of none.
        let file = account.folder().appendingPathComponent("imapd.imported")
        let line = try String(contentsOf: file, encoding: .utf8)
        for text in [line.split(separator: "\t").prefix(5).joined(separator: "\t") + "\n", "x\ty\n" + line, line.dropLast(20) + ""] {
            try Data(text.utf8).write(to: file)
            #expect(try read(target).uids.count == 9)
        }
    }
}
