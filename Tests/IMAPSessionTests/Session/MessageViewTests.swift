import IMAPGrammar
@testable import IMAPSession
import IMAPTypes
import Testing

@Suite("A view of a mailbox")
struct MessageViewTests {
    private func view(_ uids: UInt32...) -> MessageView { MessageView(uids.map { UID($0)! }) }
    private func uids(_ numbers: UInt32...) -> [UID] { numbers.map { UID($0)! } }
    private func set(_ ranges: (SeqNumber, SeqNumber)...) -> SequenceSet { .ranges(ranges.map { SeqRange($0.0, $0.1) }) }
    private func indexes(_ selection: MessageSelection?) -> [Int]? { selection.map(Array.init) }

    @Test("has numbers for UIDs and UIDs for numbers")
    func numbers() {
        let view = view(3, 7, 8)
        #expect(view.number(of: UID(7)!)?.rawValue == 2)
        #expect(view.number(of: UID(4)!) == nil)
        #expect(view.uid(at: 2).rawValue == 8)
        #expect(view.lastUID?.rawValue == 8)
        #expect(self.view().lastUID == nil)
    }

    @Test("closes up where messages are removed")
    func removal() {
        var view = view(1, 2, 3, 5, 8, 13)
        #expect(view.remove(uids(2, 3, 4, 13)) == [1, 2, 5])
        #expect((0..<view.count).map { view.uid(at: $0).rawValue } == [1, 5, 8])
        #expect(view.remove(uids(9)) == [])
        view.append(uids(20))
        #expect(view.number(of: UID(20)!)?.rawValue == 4)
    }

    @Test("resolves UIDs: any order, any overlap, * is the highest")
    func uidSets() {
        let view = view(3, 7, 8, 20)
        func resolve(_ set: SequenceSet) -> [Int] { Array(view.selection(uids: set, saved: UIDSet(uids(8, 9)))) }
        #expect(resolve(set((.number(1), .number(7)))) == [0, 1])
        #expect(resolve(set((.number(20), .number(7)), (.number(3), .number(8)))) == [0, 1, 2, 3])
        #expect(resolve(set((.number(4), .number(6)))) == [])
        #expect(resolve(set((.largest, .largest))) == [3])
        // RFC 9051 §6.4.9: the range goes down to the last message if it begins beyond.
        #expect(resolve(set((.number(500), .largest))) == [3])
        #expect(resolve(set((.number(1), .number(.max)))) == [0, 1, 2, 3])
        #expect(resolve(.lastCommand) == [2])
        #expect(Array(self.view().selection(uids: set((.number(1), .largest)), saved: UIDSet())) == [])
    }

    @Test("resolves numbers, and refuses those that are not there")
    func numberSets() {
        let view = view(3, 7, 8, 20)
        func resolve(_ set: SequenceSet) -> [Int]? { indexes(view.selection(numbers: set, saved: UIDSet(uids(7)))) }
        #expect(resolve(set((.number(4), .number(2)), (.number(3), .number(3)))) == [1, 2, 3])
        #expect(resolve(set((.largest, .number(3)))) == [2, 3])
        #expect(resolve(set((.number(3), .number(5)))) == nil)
        #expect(resolve(.lastCommand) == [1])
        #expect(indexes(self.view().selection(numbers: set((.number(1), .largest)), saved: UIDSet())) == nil)
        #expect(Array(view.selection(existingNumbers: set((.number(3), .number(5))), saved: UIDSet())) == [2, 3])
        #expect(Array(self.view().selection(existingNumbers: set((.number(1), .largest)), saved: UIDSet())) == [])
    }

    @Test("joins ranges that touch")
    func selection() {
        let selection = MessageSelection([4..<6, 0..<2, 2..<3, 5..<9, 7..<7])
        #expect(selection.ranges == [0..<3, 4..<9])
        #expect(selection.count == 8)
        #expect(selection.contains(2) && !selection.contains(3) && selection.contains(8) && !selection.contains(9))
        #expect(Array(selection) == [0, 1, 2, 4, 5, 6, 7, 8])
    }
}
