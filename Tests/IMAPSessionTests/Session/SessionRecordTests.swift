import MemoryStore
import Testing

@testable import IMAPSession

@Suite struct SessionRecordTests {
    private let record = SessionRecord()

    @Test("counters, commands and texts come out as they went in")
    func roundTrip() {
        record[.received] = 1
        record[.cacheMisses] = 5
        record.setMailbox("Entwürfe")
        record.setClient("name=\(String(repeating: "é", count: 300))")
        record.begin(.fetch, at: 1000)
        let during = SessionReport(record, at: 3000)
        #expect(during.command == .fetch && during.duration == 2000)
        #expect(during.mailbox == "Entwürfe")
        #expect(during.client == "name=" + String(repeating: "é", count: 121))
        #expect(during.totals[.received] == 1 && during.totals[.cacheMisses] == 5 && during.totals[.sent] == 0)
        #expect(during.totals.commands == 0)
        record.end(.fetch, from: 1000, to: 3000)
        record.setMailbox(nil)
        let after = SessionReport(record, at: 3500)
        #expect(after.command == nil && after.duration == 500 && after.mailbox == nil)
        #expect(after.totals.count(.fetch) == 1 && after.totals.duration(.fetch) == 2000)
    }

    @Test("a command belongs to the bucket of its time", arguments: [
        (0, 0), (200_000, 0), (200_001, 1), (1_000_000, 1), (2_500_000_000, 6), (2_500_000_001, 7), (UInt64.max, 7),
    ])
    func buckets(nanoseconds: UInt64, bucket: Int) {
        record.end(.noop, from: 0, to: nanoseconds)
        #expect(Array(SessionReport(record).totals.buckets(.noop)) == (0..<8).map { $0 == bucket ? 1 : 0 })
        #expect(SessionReport(record).totals.buckets(.logout).allSatisfy { $0 == 0 })
    }

    @Test("the time of IDLE does not count, and IDLE does")
    func idle() {
        record.end(.idle, from: 0, to: 1_000_000_000_000)
        let totals = SessionReport(record).totals
        #expect(totals.count(.idle) == 1 && totals.duration(.idle) == 0)
    }

    @Test("silence is the time since a command ended or IDLE began")
    func silence() {
        #expect(record.silence(at: 1000) == nil)
        record.begin(at: 1000)
        #expect(record.silence(at: 1500) == 500 && record.silence(at: 999) == nil)
        record.begin(.fetch, at: 2000)
        #expect(record.silence(at: 2500) == nil)
        record.end(.fetch, from: 2000, to: 3000)
        #expect(record.silence(at: 3500) == 500)
        record.begin(.idle, at: 4000)
        #expect(record.silence(at: 4500) == 500)
    }

    @Test("what anybody may have written is harmless", arguments: [UInt8.max, 0x80, 0x1B, 0x0A, 1])
    func hostile(byte: UInt8) {
        let page = UnsafeMutableRawPointer.allocate(byteCount: SessionRecord.byteCount, alignment: 4096)
        defer { page.deallocate() }
        page.initializeMemory(as: UInt8.self, repeating: byte, count: SessionRecord.byteCount)
        let hostile = SessionRecord(at: page)
        let report = SessionReport(hostile)
        for text in [report.mailbox, report.client] {
            #expect((text?.utf8.count ?? 0) <= 3 * 248)
            #expect(text?.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F } ?? true)
        }
        var totals = SessionTotals()
        for _ in 0..<300 { totals.add(hostile) }
        totals.add(record)
        #expect(byte < 0x80 || totals[.sent] == .max)
    }

    @Test("there is room for every command")
    func room() {
        #expect(SessionRecord.Layout.commands + CommandName.allCases.count * SessionRecord.Layout.row <= SessionRecord.Layout.count)
        #expect(SessionRecord.Counter.allCases.count <= SessionRecord.Layout.counters.count)
    }

    @Test("a session tells what it does and has done")
    func session() throws {
        let account = try MaildirTestAccount(separator: ".")
        let peer = try SessionPeer(readAhead: "a NOOP\r\n", record: record, store: {
            (try? account.openStore()) ?? MemoryAccount().openStore()
        })
        #expect(try peer.readLine().hasPrefix("a OK"))
        peer.send("b ID (\"name\" \"probe\")\r\nc APPEND INBOX {6+}\r\na: b\r\n\r\nd SELECT INBOX\r\ne X\r\n")
        while try !peer.readLine().hasPrefix("e BAD") {}
        for tag in ["f", "g"] {
            peer.send("\(tag) UID FETCH 1 ENVELOPE\r\n")
            while try !peer.readLine().hasPrefix("\(tag) OK") {}
        }
        peer.send("h IDLE\r\n")
        #expect(try peer.readLine().hasPrefix("+"))
        let idling = SessionReport(record)
        #expect(idling.command == .idle && idling.mailbox == "INBOX" && idling.client == "name=probe")
        let counts = [CommandName.noop, .id, .append, .select, .invalid, .fetch, .idle].map { idling.totals.count($0) }
        #expect(counts == [1, 1, 1, 1, 1, 2, 0])
        #expect(idling.totals[.cacheHits] > 0 && idling.totals[.cacheMisses] == 1)
        #expect(idling.totals[.syncs] > 1)
        peer.send("DONE\r\ni UNSELECT\r\nj LOGOUT\r\n")
        let goodbye = try peer.readAll()
        #expect(goodbye.contains("j OK"))
        #expect(peer.waitForEnd())
        let ended = SessionReport(record)
        #expect(ended.command == nil && ended.mailbox == nil && ended.totals.count(.logout) == 1)
        let said = "a NOOP\r\nb ID (\"name\" \"probe\")\r\nc APPEND INBOX {6+}\r\na: b\r\n\r\nd SELECT INBOX\r\ne X\r\n"
            + "f UID FETCH 1 ENVELOPE\r\ng UID FETCH 1 ENVELOPE\r\nh IDLE\r\nDONE\r\ni UNSELECT\r\nj LOGOUT\r\n"
        #expect(ended.totals[.received] == UInt64(said.utf8.count))
        #expect(ended.totals[.sent] > idling.totals[.sent])
    }
}
