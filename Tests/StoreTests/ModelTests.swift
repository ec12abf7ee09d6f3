import Foundation
import IMAPTypes
@testable import Maildir
import MailStore
import TestSupport
import Testing

/// Random operations of two sessions and a delivery agent on one Maildir, beside a model of what must come out.
@Suite struct ModelTests {
    struct Message: Equatable {
        var text: String
        var flags: SystemFlags
        var keywords: Set<String>
    }

    @Test(arguments: 0..<(6 * thoroughness))
    func `Two sessions agree with the model`(_ seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        let account = try MaildirAccount()
        var stores = [try account.openMaildir(), try account.openMaildir()]
        try stores[0].create("other", use: nil)
        var open = try stores.map { try $0.open(.inbox, readOnly: false) as! OpenMaildir }
        var model: [UID: Message] = [:]
        var other: [String] = []
        var largest: UInt32 = 0
        var count = 0
        /// What each session believes.
        var pictures: [[UID: SystemFlags]] = [[:], [:]]

        func text() -> String {
            count += 1
            return "message \(count)\r\n"
        }
        func give(_ uid: UID, _ message: Message) {
            #expect(uid.rawValue > largest, "seed \(seed): UID \(uid.rawValue) was given again")
            largest = max(largest, uid.rawValue)
            model[uid] = message
        }
        func refresh(_ index: Int) throws {
            let changes = try open[index].refresh()
            for uid in changes.added {
                #expect(pictures[index][uid] == nil)
                pictures[index][uid] = open[index].flags(uid)
                // A delivery gets its UID from whoever sees it first.
                if model[uid] == nil { give(uid, Message(text: try open[index].text(uid), flags: [], keywords: [])) }
            }
            for uid in changes.expunged {
                #expect(pictures[index].removeValue(forKey: uid) != nil, "seed \(seed): \(uid) expunged, but not known")
                #expect(model[uid] == nil, "seed \(seed): \(uid) expunged, but it is there")
                #expect(try open[index].text(uid).hasPrefix("message"), "seed \(seed)")
            }
            for uid in changes.flagged { pictures[index][uid] = open[index].flags(uid) }
            open[index].forget(changes.expunged)
            #expect(open[index].uids == pictures[index].keys.sorted(), "seed \(seed)")
            #expect(Set(pictures[index].keys) == Set(model.keys), "seed \(seed)")
            for (uid, message) in model {
                #expect(open[index].flags(uid) == message.flags, "seed \(seed): \(uid)")
                #expect(pictures[index][uid] == message.flags, "seed \(seed): a change was not told")
                #expect(open[index].keywordNames(uid) == message.keywords, "seed \(seed)")
            }
        }
        func some(_ index: Int) -> [UID] { open[index].uids.filter { _ in Int.random(in: 0..<3, using: &random) == 0 } }
        func randomFlags() -> SystemFlags { SystemFlags(rawValue: UInt8.random(in: 0..<32, using: &random)) }

        for step in 0..<120 {
            let me = Int.random(in: 0...1, using: &random)
            switch Int.random(in: 0..<14, using: &random) {
            case 0, 1:
                let keywords: Set<String> = [["a"], ["b", "c"], []].randomElement(using: &random)!
                let message = Message(text: text(), flags: randomFlags(), keywords: keywords)
                let uid = try stores[me].append(message.text, to: .inbox, message.flags, keywords: Array(message.keywords))
                give(uid, message)
                try refresh(me)
            case 2:
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    try account.deliver("\(step).\(count)", text().replacing("\r\n", with: "\n"))
                }
            case 3, 4, 5:
                try refresh(me)
                let uids = some(me), flags = randomFlags()
                let keywords: Set<String> = Bool.random(using: &random) ? ["a", "d"] : []
                let action = [FlagChange.Action.add, .remove, .replace].randomElement(using: &random)!
                let change = FlagChange(action, FlagSet(system: flags, keywords: Set(keywords.map { Keyword($0)! })))
                #expect(try open[me].store(uids, change, unchangedSince: nil).stored == uids)
                for uid in uids {
                    switch action {
                    case .add:
                        model[uid]!.flags.formUnion(flags)
                        model[uid]!.keywords.formUnion(keywords)
                    case .remove:
                        model[uid]!.flags.subtract(flags)
                        model[uid]!.keywords.subtract(keywords)
                    case .replace:
                        model[uid]!.flags = flags
                        model[uid]!.keywords = keywords
                    }
                    pictures[me][uid] = model[uid]!.flags
                }
            case 6:
                try refresh(me)
                let uids = some(me)
                #expect(try open[me].expunge(uids) == uids)
                open[me].forget(uids)
                for uid in uids {
                    model[uid] = nil
                    pictures[me][uid] = nil
                }
            case 7:
                try refresh(me)
                let uids = some(me)
                let result = try open[me].copy(uids, to: "other")
                #expect(result.source == uids)
                other += uids.map { model[$0]!.text }
            case 8:
                try refresh(me)
                let uids = some(me)
                let result = try open[me].move(uids, to: "other")
                #expect(result.source == uids)
                open[me].forget(uids)
                for uid in uids {
                    other.append(model[uid]!.text)
                    model[uid] = nil
                    pictures[me][uid] = nil
                }
            case 9:
                _ = try open[me].claimRecent()
                while try stores[me].tidy() {}
            case 10:
                try open[me].mailbox.locked { () throws(StoreError) in try open[me].mailbox.checkpoint() }
            case 11:
                // Another program changes flags.
                try refresh(me)
                while try stores[me].tidy() {}
                let names = account.names("cur")
                guard let name = names.randomElement(using: &random), let comma = name.range(of: ":2,") else { break }
                let letters = String(decoding: FileName.letters(randomFlags()), as: UTF8.self)
                let new = name[..<comma.upperBound] + letters
                guard name != new else { break }
                guard let row = (0..<open[me].table.count).first(where: {
                    !open[me].table.isGone($0) && String(decoding: open[me].table.name($0), as: UTF8.self) == name
                }) else { break }
                let uid = UID(open[me].table.uid(row))!
                try account.rename("cur/" + name, to: "cur/" + new)
                model[uid]!.flags = Array(new.utf8).withUnsafeBytes { bytes in
                    FileName.info(UnsafeRawBufferPointer(rebasing: bytes[FileName.baseEnd(bytes)...])).flags
                }
            case 12:
                // The session ends and another begins.
                stores[me] = try account.openMaildir()
                open[me] = try stores[me].open(.inbox, readOnly: false) as! OpenMaildir
                pictures[me] = [:]
                for uid in open[me].uids {
                    pictures[me][uid] = open[me].flags(uid)
                    if model[uid] == nil { give(uid, Message(text: try open[me].text(uid), flags: [], keywords: [])) }
                }
                try refresh(me)
            default:
                try refresh(me)
            }
        }
        for index in 0...1 {
            try refresh(index)
            while try stores[index].tidy() {}
        }
        try refresh(0)
        for (uid, message) in model { #expect(try open[1].text(uid) == message.text) }
        let status = try stores[0].status(.inbox, wantsSize: true)
        #expect(status.messages == model.count)
        #expect(status.unseen == model.values.count { !$0.flags.contains(.seen) })
        #expect(status.deleted == model.values.count { $0.flags.contains(.deleted) })
        #expect(status.size == model.values.reduce(0) { $0 + UInt64($1.text.utf8.count) })
        let last = try stores[1].open("other", readOnly: true)
        #expect(try last.uids.map { try last.text($0) } == other)
        #expect(account.log.all.isEmpty, "seed \(seed): \(account.log.all)")
    }
}
