import Foundation
import Glibc
import Testing
import Transport

@testable import Daemon

@Suite struct WishTests {
    static let wishes: [Wish] = [
        .kickProcess(1), .kickProcess(.max), .kickUser("ada"), .kickUser("a b"), .forgiveUser(String(repeating: "x", count: 255)),
        .kickNetwork(try! IPNetwork("192.0.2.0/24")), .forgiveNetwork(try! IPNetwork("2001:db8::1")), .reload, .stop, .upgrade,
    ]

    @Test(arguments: wishes)
    func wish(wish: Wish) {
        #expect(wish.wire.count <= Wish.longest)
        #expect(Wish(wire: wish.wire) == wish)
        for count in wish.wire.indices { #expect(Wish(wire: Array(wish.wire.prefix(count))) == nil) }
        #expect(Wish(wire: wish.wire + [0]) == nil)
    }

    @Test("what cannot be is not wished for", arguments: [
        [0, 0, 0, 0, 0], [0, 0xFF, 0xFF, 0xFF, 0xFF], [1, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0xFF], [2, 0, 0, 0, 1, 0x78], [8], [7, 0], [],
    ] as [[UInt8]])
    func impossible(bytes: [UInt8]) { #expect(Wish(wire: bytes) == nil) }

    @Test(arguments: [Grant.done(0), .done(1 << 31), .failed(""), .failed("a\nb")])
    func grant(grant: Grant) {
        #expect(Grant(wire: grant.wire) == grant)
        for count in grant.wire.indices { #expect(Grant(wire: Array(grant.wire.prefix(count))) == nil) }
    }

    @Test("a long list of problems is cut off")
    func longGrant() {
        let wire = Grant.failed(String(repeating: "ü", count: 100_000)).wire
        #expect(wire.count <= Grant.longest)
        #expect(Grant(wire: wire) != nil)
    }

    @Test(arguments: [
        ("who", .who), ("stats", .stats), ("limits", .limits), ("reload", .wish(.reload)), ("stop", .wish(.stop)), ("upgrade", .wish(.upgrade)),
        ("kick user ada lovelace", .wish(.kickUser("ada lovelace"))), ("kick process 12", .wish(.kickProcess(12))),
        ("kick network ::1", .wish(.kickNetwork(try! IPNetwork("::1")))), ("forgive user ada", .wish(.forgiveUser("ada"))),
        ("forgive network 10.0.0.0/8", .wish(.forgiveNetwork(try! IPNetwork("10.0.0.0/8")))),
    ] as [(String, ControlRequest)])
    func request(line: String, request: ControlRequest) throws {
        #expect(try ControlRequest(line.utf8) == request)
    }

    @Test("a request that makes no sense is not taken for another", arguments: [
        "", " ", "WHO", "who ", "who x", "kick", "kick user", "kick user ", "kick process 0", "kick process -1", "kick process x",
        "kick network x", "kick network 10.0.0.1/8", "forgive process 1", "stop now", "who\r",
        "kick user \(String(repeating: "x", count: 256))",
    ])
    func malformed(line: String) {
        #expect(throws: ControlRequest.Malformed.self) { try ControlRequest(line.utf8) }
    }

    @Test("bytes that are no text", arguments: [[0xFF], [0x77, 0x68, 0x6F, 0x80]] as [[UInt8]])
    func noText(bytes: [UInt8]) {
        #expect(throws: ControlRequest.Malformed.self) { try ControlRequest(bytes) }
    }

    @Test("whatever a text is, the line is one object")
    func json() throws {
        let texts = ["", "a\"b\\c", "\n\r\t\u{0}\u{1B}[2J", "\u{7F}\u{85}\u{2028}\u{2029}", "Entwürfe 📬", "</script>"]
        var line = JSONLine()
        for (number, text) in texts.enumerated() { line.add("t\(number)", text) }
        line.add("none", nil as String?)
        line.add("number", UInt64.max)
        line.add("flag", true)
        line.add("object", [("a\"", 1)])
        #expect(line.line.count(where: { $0 < 0x20 }) == 1)
        let read = try #require(try JSONSerialization.jsonObject(with: Data(line.line)) as? [String: Any])
        for (number, text) in texts.enumerated() { #expect(read["t\(number)"] as? String == text) }
        #expect(read["none"] is NSNull && read["number"] as? UInt64 == .max && read["flag"] as? Bool == true)
        #expect((read["object"] as? [String: Int])?["a\""] == 1)
    }
}
