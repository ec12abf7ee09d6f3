import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// Answers SEARCH (RFC 9051 §6.4.4). A message's file is read once at most, and only if the flags, numbers and dates leave
/// the answer open; texts pass through in constant memory.
final class MessageSearch {
    private let mailbox: any OpenMailbox
    private let environment: SearchEnvironment
    private let program: SearchProgram
    private var headerSearchers: [TextSearcher]
    private let texts: TextScan
    private let reader = ContentReader()
    private let keeper: RecordKeeper
    private var value: [UInt8] = []
    private var decoded: [UInt8] = []

    init(_ command: SearchCommand, in mailbox: any OpenMailbox, _ environment: SearchEnvironment) throws(UnknownCharset) {
        var compiler = try SearchCompiler(command.charset, mailbox, environment)
        program = compiler.compile(command.key)
        headerSearchers = compiler.headerSearchers
        texts = TextScan(compiler.textSearchers, reader)
        keeper = RecordKeeper(mailbox)
        self.mailbox = mailbox
        self.environment = environment
    }

    /// Those of `uids` that match, in the same order.
    ///
    /// `progress` is called now and then, with the number of messages looked at.
    func matches(
        among uids: [UID], progress: (Int) throws(ContentFailure) -> Void = { _ in }
    ) throws(ContentFailure) -> [UID] {
        var result: [UID] = []
        for (index, uid) in uids.enumerated() {
            if index & 0xFF == 0xFF { try progress(index) }
            guard let metadata = mailbox.metadata(uid) else { continue }
            var message = Message(uid: uid, metadata: metadata)
            if try evaluate(program, &message) == .yes { result.append(uid) }
            if message.isOpen { reader.close() }
        }
        return result
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
        /// Whether `header` is only of the fields that were kept.
        var isHeaderKept = false
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
        case .sent(let days):
            let value = try header(for: Self.date, &message).value(.date, of: MessageStructure.root)
            return value.flatMap { MessageDate($0) }.map { days.contains($0.localDay) } ?? false
        case .header(let name, let index): return try searchHeader(name, index, &message)
        case .text(let index):
            if let found = message.found { return found[index] }
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

    private static let date = Array("Date".utf8)

    private func threadID(_ message: inout Message) throws(ContentFailure) -> ObjectID {
        if !message.isOpen, let kept = keeper.record(message.uid)?.threadID {
            if let kept { return kept }
        } else if let id = ThreadID.of(try header(for: Self.references, &message)) {
            return id
        }
        return try identity(message.uid).id
    }

    /// Where this field is kept, so are the others that `ThreadID` looks at.
    private static let references = Array("References".utf8)

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
        if message.isHeaderKept {
            message.header = nil
            message.isHeaderKept = false
        }
    }

    /// The header, or as much of it as was kept if that has the field.
    private func header(for field: [UInt8], _ message: inout Message) throws(ContentFailure) -> MessageStructure {
        let canBeKept = KeptRecord.hasField(field)
        if let header = message.header, canBeKept || !message.isHeaderKept { return header }
        if canBeKept, !message.isOpen, let fields = keeper.record(message.uid)?.fields {
            reader.open(header: fields)
            message.isHeaderKept = true
            let header = try reader.structure(.header)
            message.header = header
            return header
        }
        try open(&message)
        let header = try reader.structure(.header)
        message.header = header
        keeper.keep(message.uid, from: reader, .header)
        return header
    }

    /// HEADER (RFC 9051 §6.4.4): whether a field of that name has the string in its value, as people read it.
    private func searchHeader(_ name: [UInt8], _ index: Int, _ message: inout Message) throws(ContentFailure) -> Bool {
        let extent = try header(for: name, &message).parts[MessageStructure.root].header
        return try reader.withHeader(extent) { bytes in
            var block = HeaderBlock(bytes)
            while let field = block.next() {
                guard field.name.count == name.count,
                      zip(bytes[field.name], name).allSatisfy({ $0.lowercasedASCII == $1.lowercasedASCII }) else { continue }
                value.removeAll(keepingCapacity: true)
                decoded.removeAll(keepingCapacity: true)
                HeaderBlock.unfold(UnsafeRawBufferPointer(rebasing: bytes[field.value]), into: &value)
                value.withUnsafeBytes { EncodedWord.decode($0, into: &decoded) }
                headerSearchers[index].reset()
                decoded.withUnsafeBytes { headerSearchers[index].search($0) }
                if headerSearchers[index].isFound { return true }
            }
            return false
        }
    }
}
