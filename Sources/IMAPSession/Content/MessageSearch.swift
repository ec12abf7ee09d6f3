import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// Answers SEARCH (RFC 9051 §6.4.4). A message's file is read once at most, and only if the flags, numbers and dates leave
/// the answer open; texts pass through in constant memory.
final class MessageSearch {
    private let mailbox: any OpenMailbox
    private let environment: SearchEnvironment
    /// What the store answers for all messages at once, and what is then to be asked of each.
    private let test: MetadataTest
    private let program: SearchProgram
    private var headerSearchers: [TextSearcher]
    private let texts: TextScan
    private let reader = ContentReader()
    private let keeper: RecordKeeper
    private var value: [UInt8] = []
    private var decoded: [UInt8] = []
    private let readers: Int
    private let textQueries: [SearchCompiler.TextQuery]
    private var textsAhead: TextsAhead?

    /// - Parameter readers: threads that may read messages, this one included.
    init(
        _ command: SearchCommand, in mailbox: any OpenMailbox, _ environment: SearchEnvironment, readers: Int = 1
    ) throws(UnknownCharset) {
        var compiler = try SearchCompiler(command.charset, mailbox, environment)
        var program = compiler.compile(command.key), test = MetadataTest()
        program.extract(into: &test)
        self.program = program
        self.test = test
        headerSearchers = compiler.headerSearchers
        textQueries = compiler.textSearchers
        texts = TextScan(textQueries, reader)
        self.readers = readers
        keeper = RecordKeeper(mailbox)
        self.mailbox = mailbox
        self.environment = environment
    }

    /// Those of the messages of `selection` that match, ascending.
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    func matches(
        in view: MessageView, _ selection: MessageSelection, progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [UID] {
        // Of a few the store need not be asked as a whole.
        if test.isTrivial || selection.count < view.count / 16 {
            return try matches(among: view.uids(selection), progress: progress)
        }
        var uids = mailbox.uids(test, atMost: .max)
        if selection.count < view.count { uids = view.uids(view.selection(of: uids, within: selection)) }
        return program.isAll ? uids : try matches(among: uids, progress: progress)
    }

    /// Those of `uids` that match, in the same order.
    func matches(
        among uids: [UID], progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [UID] {
        if program.isAll, test.isTrivial { return uids }
        let records = recordsAhead(of: uids)
        textsAhead = textsAhead(of: uids)
        defer {
            records?.end()
            textsAhead?.end()
            textsAhead = nil
        }
        var result: [UID] = []
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            records?.reach(index)
            textsAhead?.reach(index)
            guard let metadata = mailbox.metadata(uid), test.holds(metadata) else { continue }
            var message = Message(uid: uid, metadata: metadata)
            if try evaluate(program, &message) == .yes { result.append(uid) }
            if message.isOpen { reader.close() }
        }
        return result
    }

    /// Where headers decide, what is kept of them: if all of a message has to be read in the end, nothing is lost.
    private func recordsAhead(of uids: [UID]) -> RecordsAhead? {
        guard program.reads.contains(.header), !program.reads.contains(.other) else { return nil }
        return RecordsAhead(uids, in: mailbox, readers: readers, .header) { [keeper] in keeper.keys($0) != nil }
    }

    /// Where texts alone decide, once metadata has.
    private func textsAhead(of uids: [UID]) -> TextsAhead? {
        guard program.reads == .text else { return nil }
        return TextsAhead(textQueries, uids, in: mailbox, readers: readers) { [mailbox, test] uid in
            mailbox.metadata(uid).map { test.holds($0) && !$0.isExpunged } ?? false
        }
    }

    /// A key about what is gone is neither true nor false, so that NOT does not find it.
    private enum Answer {
        case yes, no, unknown
        init(_ value: Bool) { self = value ? .yes : .no }
    }

    private struct Message {
        let uid: UID
        let metadata: MessageMetadata
        var details: MessageDetails?
        var header: MessageStructure?
        var found: [Bool]?
        var isOpen = false
    }

    private func evaluate(_ key: SearchProgram, _ message: inout Message) throws(ContentFailure) -> Answer {
        switch key {
        case .all: return .yes
        case .none: return .no
        case .flags(let flags, let isSet): return Answer(message.metadata.flags.contains(flags) == isSet)
        case .keyword(let index, let isSet): return Answer(message.metadata.keywords[index] == isSet)
        case .recent: return Answer(environment.isRecent(message.uid))
        case .uids(let set): return Answer(set.contains(message.uid))
        case .modSequence(let value): return Answer(message.metadata.modSequence >= value)
        case .not(let key):
            switch try evaluate(key, &message) {
            case .yes: return .no
            case .no: return .yes
            case .unknown: return .unknown
            }
        case .and(let keys):
            var answer = Answer.yes
            for key in keys {
                switch try evaluate(key, &message) {
                case .yes: break
                case .no: return .no
                case .unknown: answer = .unknown
                }
            }
            return answer
        case .or(let a, let b):
            let first = try evaluate(a, &message)
            if first == .yes { return .yes }
            let second = try evaluate(b, &message)
            return second == .yes ? .yes : first == .unknown ? .unknown : second
        case .received, .saved, .emailID, .threadID, .size, .sent, .header, .text:
            do throws(ContentFailure) {
                return Answer(try evaluateContent(key, &message))
            } catch {
                if case .store(.messageGone) = error { return .unknown }
                throw error
            }
        }
    }

    private func evaluateContent(_ key: SearchProgram, _ message: inout Message) throws(ContentFailure) -> Bool {
        switch key {
        case .received(let days):
            return days.contains(Self.day(try details(&message).internalDate))
        case .saved(let days): return days.contains(Self.day(try identity(message.uid).saveDate))
        case .emailID(let id): return try identity(message.uid).id == id
        case .threadID(let id): return try threadID(&message) == id
        case .size(let sizes): return sizes.contains(try details(&message).size)
        case .sent(let days): return try sentDay(&message).map(days.contains) ?? false
        case .header(let name, let kept, let index): return try searchHeader(name, kept, index, &message)
        case .text(let index):
            if let found = message.found { return found[index] }
            if let found = textsAhead?.take(message.uid) {
                message.found = found
                return found[index]
            }
            try open(&message)
            let found = try texts.scan()
            message.found = found
            return found[index]
        default: preconditionFailure("a key that needs no content")
        }
    }

    /// The day of a second in UTC, since the epoch.
    private static func day(_ second: Int64) -> Int64 { CalendarDay(ofSecond: second).daysSinceEpoch }

    private func identity(_ uid: UID) throws(ContentFailure) -> MessageIdentity {
        do { return try mailbox.identity(uid) } catch { throw .store(error) }
    }

    private func threadID(_ message: inout Message) throws(ContentFailure) -> ObjectID {
        if message.header == nil, let kept = keeper.record(message.uid)?.threadID {
            if let kept { return kept }
        } else if let id = ThreadID.of(try header(&message)) {
            return id
        }
        return try identity(message.uid).id
    }

    private func details(_ message: inout Message) throws(ContentFailure) -> MessageDetails {
        if let details = message.details { return details }
        do {
            let details = try mailbox.details(message.uid)
            message.details = details
            return details
        } catch { throw .store(error) }
    }

    private func open(_ message: inout Message) throws(ContentFailure) {
        if message.isOpen { return }
        do { reader.open(try mailbox.content(message.uid)) } catch { throw .store(error) }
        message.isOpen = true
    }

    /// The header, read from the message.
    private func header(_ message: inout Message) throws(ContentFailure) -> MessageStructure {
        if let header = message.header { return header }
        try open(&message)
        let header = try reader.structure(.header)
        message.header = header
        keeper.keep(message.uid, from: reader, .header)
        return header
    }

    /// The day that the sender's calendar showed, since the epoch.
    private func sentDay(_ message: inout Message) throws(ContentFailure) -> Int64? {
        if message.header == nil, let keys = keeper.keys(message.uid) { return keys.sentDay }
        return try header(&message).value(.date, of: MessageStructure.root).flatMap { MessageDate($0)?.localDay }
    }

    /// HEADER (RFC 9051 §6.4.4): whether a field of that name has the string in its value, as people read it.
    private func searchHeader(
        _ name: [UInt8], _ kept: KeptFields.Index?, _ index: Int, _ message: inout Message
    ) throws(ContentFailure) -> Bool {
        if message.header == nil, let kept, let fields = keeper.fields(message.uid) {
            return fields.contains(kept) { isMatch($0, index) }
        }
        let extent = try header(&message).parts[MessageStructure.root].header
        return try reader.withHeader(extent) { bytes in
            var block = HeaderBlock(bytes)
            while let field = block.next() {
                guard bytes[field.name].elementsEqual(name, by: { $0.lowercasedASCII == $1.lowercasedASCII }) else { continue }
                if isMatch(UnsafeRawBufferPointer(rebasing: bytes[field.value]), index) { return true }
            }
            return false
        }
    }

    /// Whether a field's value, as it stands in the header, has the string.
    private func isMatch(_ folded: UnsafeRawBufferPointer, _ index: Int) -> Bool {
        if let plain = HeaderBlock.plain(folded) { return headerSearchers[index].isIn(plain) }
        value.removeAll(keepingCapacity: true)
        decoded.removeAll(keepingCapacity: true)
        HeaderBlock.unfold(folded, into: &value)
        value.withUnsafeBytes { EncodedWord.decode($0, into: &decoded) }
        return decoded.withUnsafeBytes { headerSearchers[index].isIn($0) }
    }
}
