import Foundation
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// What files beside the messages may cost that somebody has made for that.
@Suite struct GrowthTests {
    /// Each of them seems to have all that follows as its body.
    @Test func `A log of nothing but beginnings of transactions is given up in time`() {
        let factor = growth(of: 1 << 14) { size in
            var writer = ByteWriter()
            while writer.bytes.count < size {
                writer.number(LogFile.Frame.mark)
                writer.number(UInt32(size - writer.bytes.count - 12))
                writer.number(UInt64(0))
            }
            writer.bytes.withUnsafeBytes { bytes in
                var search = FrameSearch(bytes)
                #expect(search.next(from: 0) == nil)
                #expect(search.isExhausted)
            }
        }
        #expect(factor < mostGrowth)
    }

    @Test func `What follows much damage is found`() {
        var writer = ByteWriter()
        writer.raw(repeatElement(UInt8(LogFile.Frame.mark & 0xFF), count: 10_000))
        let start = writer.bytes.count
        _ = LogFile.write(to: &writer, after: 1) { $0.raw([1, 2, 3]) }
        writer.bytes.withUnsafeBytes { bytes in
            var search = FrameSearch(bytes)
            #expect(search.next(from: 0) == start)
            #expect(search.next(from: start + 1) == nil)
            #expect(!search.isExhausted)
        }
    }

    @Test func `A list of another server may have one name as often as it likes`() throws {
        let factor = try growth(of: 2000) { count in
            let account = try MaildirAccount()
            for name in ["cur", "new", "tmp"] {
                try FileManager.default.createDirectory(
                    at: account.folder().appendingPathComponent(name), withIntermediateDirectories: true)
            }
            var list = "3 V1000 N\(count + 1)\n"
            for uid in 1...count { list += "\(uid) :1001.M1P1.host\n" }
            try Data(list.utf8).write(to: account.folder().appendingPathComponent("dovecot-uidlist"))
            try Data("text\n".utf8).write(to: account.folder().appendingPathComponent("cur/1001.M1P1.host:2,S"))
            let inbox = try account.openMaildir().open(.inbox, readOnly: false)
            #expect(inbox.uids.map(\.rawValue) == [UInt32(count)])
        }
        #expect(factor < mostGrowth)
    }
}
