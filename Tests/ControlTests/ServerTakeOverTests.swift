import Foundation
import TestSupport
import Testing

/// From a real server of another make to imapd, and back: no client that was there before downloads or uploads a message.
@Suite struct ServerTakeOverTests {
    @Test(arguments: MailHost.Other.allCases)
    func `Clients find nothing changed, there and back`(_ other: MailHost.Other) async throws {
        let host: MailHost
        do {
            host = try await MailHost(other)
        } catch let missing as MailHost.Unavailable {
            try Test.cancel("\(missing.description)")
        }
        try await host.client(host.access, "fill")
        try host.deliver("1700000001.M2P1.host", "Subject: delivered\n\nx\n")
        try host.deliver("1700000001.M1P1.host,S=2", "x\n", to: ".Work")
        // A first SELECT gives what was delivered its UIDs.
        _ = try await host.view(host.access)
        let near = try await host.synchronise(host.access)
        let before = try await host.view(host.access)
        // mbsync leaves alone what is about to be expunged.
        let wanted = before.mailboxes.values.flatMap(\.messages).filter { !$0.flags.contains("Deleted") }
        #expect(before.mailboxes.count == 7 && near.count == wanted.count)
        #expect(near.count > 40 && before.subscribed.count == 3)
        let files = try host.theirFiles()
        #expect(files.keys.contains { $0.contains("uidlist") || $0.contains("uiddb") })

        // We take over.
        let after = try await host.withImapd { imapd in
            let view = try await host.view(imapd)
            #expect(view.mailboxes == before.mailboxes && view.subscribed == before.subscribed)
            #expect(try await host.synchronise(imapd) == near)
            #expect(try await host.view(imapd).mailboxes == before.mailboxes)
            // Courier has no mod-sequences, so nobody can remember one.
            if other == .dovecot { #expect(try await host.news(imapd, since: before) == "[]\n") }
            #expect(try await host.news(imapd, since: view) == "[]\n")
            #expect(try host.theirFiles() == files)

            try await host.client(imapd, "change")
            return try await host.view(imapd)
        }
        #expect(after.mailboxes != before.mailboxes && after.subscribed != before.subscribed)
        let later = try await host.withImapd { try await host.synchronise($0) }
        // One expunged message stays near, as mbsync was not told to remove any.
        #expect(later.count == near.count + 2)

        // And back.
        let outcome = try await host.imapctl("export", other.name)
        #expect(outcome.status == 0, "\(outcome)")
        let back = try await host.view(host.access)
        #expect(back.mailboxes == after.mailboxes && Set(back.subscribed) == Set(after.subscribed))
        #expect(try await host.synchronise(host.access) == later)
        if other == .dovecot { #expect(try await host.news(host.access, since: after) == "[]\n") }
        #expect(try await host.view(host.access).mailboxes == after.mailboxes)

        // New mailboxes get UIDVALIDITYs and messages UIDs that were never given.
        try await host.client(host.access, "change")
        let last = try await host.view(host.access)
        for (name, mailbox) in after.mailboxes {
            let now = try #require(last.mailboxes[name])
            #expect(now.uidvalidity == mailbox.uidvalidity)
            let known = Set(mailbox.messages.map(\.uid))
            #expect(now.messages.allSatisfy { $0.uid >= mailbox.uidnext || known.contains($0.uid) })
        }
    }
}
