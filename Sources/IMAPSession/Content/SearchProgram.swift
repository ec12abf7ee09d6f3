import IMAPGrammar
import IMAPTypes
import MailMessage
import MailStore

/// What the session knows and a search needs.
struct SearchEnvironment {
    /// The messages that a sequence set means; those that it does not hold are left out (RFC 9051 §6.4.4).
    var resolve: (_ set: SequenceSet, _ byUID: Bool) -> UIDSet
    /// Whether the message is \Recent in this session (RFC 3501 §2.3.2).
    var isRecent: (UID) -> Bool
}

/// A charset that we do not know (RFC 9051 §6.4.4): NO [BADCHARSET (…)] with `known`.
struct UnknownCharset: Error {
    let known = Charset.common
}

/// A search key (RFC 9051 §6.4.4) ready to be asked of message after message.
indirect enum SearchProgram {
    case all, none
    case flags(SystemFlags, isSet: Bool)
    /// Index into the mailbox's table.
    case keyword(Int, isSet: Bool)
    case recent
    case uids(UIDSet)
    case modSequence(ModSequence)
    /// INTERNALDATE, in days since the epoch: UTC, as FETCH tells it.
    case received(Range<Int64>)
    /// SAVEDATE, likewise.
    case saved(Range<Int64>)
    case emailID(ObjectID)
    case threadID(ObjectID)
    /// RFC822.SIZE
    case size(Range<UInt64>)
    /// The Date: field, in days since the epoch.
    case sent(Range<Int64>)
    /// Name in lower case; whether fields of that name are kept; index into the searchers.
    case header(name: [UInt8], kept: KeptFields.Index?, Int)
    /// Index into the searchers of text.
    case text(Int)
    case not(SearchProgram)
    case and([SearchProgram])
    case or(SearchProgram, SearchProgram)

    /// What it costs to ask: 0 nothing, 1 a look at the file, 2 reading the header, 3 reading all.
    var cost: Int {
        switch self {
        case .all, .none, .flags, .keyword, .recent, .uids, .modSequence, .saved, .emailID: 0
        case .received, .size: 1
        case .sent, .header, .threadID: 2
        case .text: 3
        case .not(let key): key.cost
        case .and(let keys): keys.map(\.cost).max() ?? 0
        case .or(let a, let b): max(a.cost, b.cost)
        }
    }

    /// Takes out what a store can answer for all messages at once: that goes into `test`, and what is left remains.
    mutating func extract(into test: inout MetadataTest) {
        switch self {
        case .flags(let flags, let isSet):
            if test.require(flags, isSet: isSet) { self = .all }
        case .not(.flags(let flags, let isSet)) where flags.rawValue.nonzeroBitCount == 1:
            if test.require(flags, isSet: !isSet) { self = .all }
        case .keyword(let index, let isSet):
            if test.require(keyword: index, isSet: isSet) { self = .all }
        case .not(.keyword(let index, let isSet)):
            if test.require(keyword: index, isSet: !isSet) { self = .all }
        case .modSequence(let value):
            if value.rawValue > 0, let below = ModSequence(value.rawValue - 1) { test.require(above: below) }
            self = .all
        case .and(var keys):
            for index in keys.indices { keys[index].extract(into: &test) }
            keys.removeAll(where: \.isAll)
            self = keys.isEmpty ? .all : keys.count == 1 ? keys[0] : .and(keys)
        case .all, .none, .recent, .uids, .received, .saved, .emailID, .threadID, .size, .sent, .header, .text, .not, .or: break
        }
    }

    /// What has to be read of messages for all that is asked, but for what costs no more than a look at the file.
    var reads: Reads {
        switch self {
        case .all, .none, .flags, .keyword, .recent, .uids, .modSequence, .saved, .emailID, .received, .size: []
        case .sent, .threadID: .header
        case .header(_, let kept, _): kept == nil ? .other : .header
        case .text: .text
        case .not(let key): key.reads
        case .and(let keys): keys.reduce([]) { $0.union($1.reads) }
        case .or(let a, let b): a.reads.union(b.reads)
        }
    }

    struct Reads: OptionSet {
        let rawValue: UInt8
        /// What is kept of headers.
        static let header = Reads(rawValue: 1)
        static let text = Reads(rawValue: 2)
        /// Header fields that are not kept.
        static let other = Reads(rawValue: 4)
    }

    var isAll: Bool { if case .all = self { true } else { false } }
}

/// Makes a program of a search key.
struct SearchCompiler {
    private let charset: Charset
    private let mailbox: any OpenMailbox
    private let environment: SearchEnvironment
    private let folder = CaseFolder()

    private(set) var headerSearchers: [TextSearcher] = []
    private(set) var textSearchers: [TextQuery] = []

    /// One BODY or TEXT.
    struct TextQuery {
        /// UTF-8.
        let needle: [UInt8]
        var searcher: TextSearcher
        /// Whether the message's own header counts: TEXT.
        let isHeaderToo: Bool

        init(needle: [UInt8], isHeaderToo: Bool, _ folder: CaseFolder) {
            self.needle = needle
            self.isHeaderToo = isHeaderToo
            searcher = TextSearcher(needle, folder: folder)
        }
    }

    /// `name` is the charset that the command named; without one it is UTF-8 (RFC 9051 §6.4.4), or the US-ASCII of
    /// RFC 3501, which UTF-8 contains.
    init(_ name: [UInt8]?, _ mailbox: any OpenMailbox, _ environment: SearchEnvironment) throws(UnknownCharset) {
        if let name {
            guard let known = Charset(name) else { throw UnknownCharset() }
            charset = known
        } else {
            charset = .ascii
        }
        self.mailbox = mailbox
        self.environment = environment
    }

    /// `SearchKey` is as deep as the parser allows, no deeper.
    mutating func compile(_ key: SearchKey) -> SearchProgram {
        switch key {
        case .all: return .all
        case .flag(let flags, let isSet): return .flags(flags, isSet: isSet)
        case .keyword(let keyword, let isSet):
            // A keyword that the mailbox has never seen is on no message.
            guard let index = mailbox.keywords.firstIndex(of: keyword) else { return isSet ? .none : .all }
            return .keyword(index, isSet: isSet)
        case .new: return .and([.recent, .flags(.seen, isSet: false)])
        case .old: return .not(.recent)
        case .recent: return .recent
        case .header(let name, let value):
            headerSearchers.append(TextSearcher(utf8(value), folder: folder))
            return .header(name: name, kept: KeptFields.index(of: name), headerSearchers.count - 1)
        case .body(let value): return text(value, isHeaderToo: false)
        case .text(let value): return text(value, isHeaderToo: true)
        case .before(let day): return .received(Int64.min..<day.daysSinceEpoch)
        case .on(let day): return .received(day.daysSinceEpoch..<day.daysSinceEpoch + 1)
        case .since(let day): return .received(day.daysSinceEpoch..<Int64.max)
        case .sentBefore(let day): return .sent(Int64.min..<day.daysSinceEpoch)
        case .sentOn(let day): return .sent(day.daysSinceEpoch..<day.daysSinceEpoch + 1)
        case .sentSince(let day): return .sent(day.daysSinceEpoch..<Int64.max)
        case .savedBefore(let day): return .saved(Int64.min..<day.daysSinceEpoch)
        case .savedOn(let day): return .saved(day.daysSinceEpoch..<day.daysSinceEpoch + 1)
        case .savedSince(let day): return .saved(day.daysSinceEpoch..<Int64.max)
        // Every store knows it.
        case .saveDateSupported: return .all
        case .emailID(let id): return id.map { .emailID($0) } ?? .none
        case .threadID(let id): return id.map { .threadID($0) } ?? .none
        case .larger(let size): return size == UInt64.max ? .none : .size(size + 1..<UInt64.max)
        case .smaller(let size): return .size(0..<size)
        case .sequence(let set): return .uids(environment.resolve(set, false))
        case .uid(let set): return .uids(environment.resolve(set, true))
        case .modSeq(let value): return .modSequence(value)
        case .not(let key): return .not(compile(key))
        case .or(let a, let b):
            let first = compile(a), second = compile(b)
            return first.cost <= second.cost ? .or(first, second) : .or(second, first)
        case .and(let keys):
            // The cheap ones first: often they leave nothing to be read.
            var compiled: [SearchProgram] = []
            for key in keys { compiled.append(compile(key)) }
            return .and(compiled.sorted { $0.cost < $1.cost })
        }
    }

    private mutating func text(_ value: [UInt8], isHeaderToo: Bool) -> SearchProgram {
        textSearchers.append(TextQuery(needle: utf8(value), isHeaderToo: isHeaderToo, folder))
        return .text(textSearchers.count - 1)
    }

    private func utf8(_ value: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var decoder = CharsetDecoder(charset)
        value.withUnsafeBytes { decoder.decode($0, into: &output) }
        decoder.finish(into: &output)
        return output
    }
}
