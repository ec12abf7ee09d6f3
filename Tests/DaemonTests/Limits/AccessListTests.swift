import Testing
import Transport

@testable import Daemon

@Suite struct AccessListTests {
    @Test("the smallest network decides, else whether any is allowed", arguments: [
        ([], [], "192.0.2.1", true),
        ([], ["192.0.2.0/24"], "192.0.2.1", false),
        ([], ["192.0.2.0/24"], "192.0.3.1", true),
        ([], ["192.0.2.0/24"], "2001:db8::1", true),
        (["192.0.2.0/24"], [], "192.0.2.1", true),
        (["192.0.2.0/24"], [], "192.0.3.1", false),
        (["192.0.2.0/24"], [], "2001:db8::1", false),
        (["192.0.2.0/24"], ["192.0.2.128/25"], "192.0.2.127", true),
        (["192.0.2.0/24"], ["192.0.2.128/25"], "192.0.2.128", false),
        (["192.0.2.130", "0.0.0.0/0"], ["192.0.2.128/25"], "192.0.2.130", true),
        (["192.0.2.130", "0.0.0.0/0"], ["192.0.2.128/25"], "192.0.2.131", false),
        (["192.0.2.130", "0.0.0.0/0"], ["192.0.2.128/25"], "192.0.2.1", true),
        (["192.0.2.0/24"], ["192.0.2.0/24"], "192.0.2.1", false),
        (["0.0.0.0/0"], ["::/0"], "::1", false),
    ])
    func decides(allowed: [String], denied: [String], address: String, admitted: Bool) throws {
        let list = try AccessList(allowed: allowed.map { try IPNetwork($0) }, denied: denied.map { try IPNetwork($0) })
        #expect(list.admits(try #require(IPAddress(address))) == admitted)
        // In whatever order they were written.
        let reversed = try AccessList(
            allowed: allowed.reversed().map { try IPNetwork($0) }, denied: denied.reversed().map { try IPNetwork($0) })
        #expect(list == reversed)
    }
}
