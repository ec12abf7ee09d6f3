import CFaults
import Glibc

/// Lines that a process writes before and after each thing that it does, in memory that it shares with its parent: they are
/// there however it ends.
struct Facts: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer
    private static let size = 1 << 20

    init() {
        guard let memory = faults_shared_memory(UInt64(Self.size)) else { fatalError("no shared memory") }
        self.memory = memory
    }

    private var length: UnsafeMutablePointer<Int> { memory.assumingMemoryBound(to: Int.self) }

    func clear() { length.pointee = 0 }

    func note(_ line: String) {
        var text = line
        text.append("\n")
        text.withUTF8 { bytes in
            let at = length.pointee
            guard 8 + at + bytes.count <= Self.size else { return }
            (memory + 8 + at).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
            length.pointee = at + bytes.count
        }
    }

    var lines: [String] {
        String(decoding: UnsafeRawBufferPointer(start: memory + 8, count: length.pointee), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }
}

/// What may be true of a Maildir after the facts that were noted.
///
/// A fact that begins with `?` is about to be, one with `+` was acknowledged. What began and was not acknowledged may be or not.
/// Fields are separated by tabs:
///
///     +box      box name                  there is such a mailbox; `box` is what the facts call it
///     +validity box number
///     +uid      box uid text              the message of this text has this UID
///     +add      box uid text flags group  of a group, all come in or none
///     +remove   box text
///     +flags    box text flags
///     +delete   box
///     +rename   box name
///     +kept     text                      the message of this text is in one mailbox at least
///     +unsure   text                      another program has changed the flags of the message of this text, or removed it
///     +subscribe, +unsubscribe name
struct Model {
    struct Message {
        var mayBe = true
        var mayNotBe = false
        var uid: UInt32?
        var flags: Set<String> = []
    }

    struct Box {
        var mayBe = true
        var mayNotBe = false
        var names: Set<String> = []
        var validity: UInt32?
        var messages: [String: Message] = [:]
        /// Every UID that was ever seen, and with which text.
        var uids: [UInt32: String] = [:]
        var groups: [String: [String]] = [:]
    }

    var boxes: [String: Box] = [:]
    var kept: Set<String> = []
    var subscribed: [String: Set<Bool>] = [:]
    var unsure: Set<String> = []

    mutating func take(_ line: String) {
        guard let sign = line.first, sign == "?" || sign == "+" else { return }
        let isDone = sign == "+"
        let fields = line.dropFirst().split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        let box = fields.count > 1 ? fields[1] : ""
        switch fields[0] {
        case "box":
            boxes[box, default: Box()].mayNotBe = !isDone
            boxes[box]!.names = [fields[2]]
        case "validity":
            boxes[box]?.validity = UInt32(fields[2])!
        case "uid":
            let uid = UInt32(fields[2])!
            boxes[box]!.uids[uid] = fields[3]
            boxes[box]!.messages[fields[3]]?.uid = uid
        case "add":
            var message = boxes[box]!.messages[fields[3]] ?? Message()
            message.mayNotBe = !isDone
            message.flags = [fields[4]]
            if isDone, let uid = UInt32(fields[2]) {
                message.uid = uid
                boxes[box]!.uids[uid] = fields[3]
            }
            boxes[box]!.messages[fields[3]] = message
            if isDone {
                boxes[box]!.groups[fields[5]] = nil
            } else {
                boxes[box]!.groups[fields[5], default: []].append(fields[3])
            }
        case "remove":
            boxes[box]?.messages[fields[2]]?.mayNotBe = true
            if isDone { boxes[box]?.messages[fields[2]]?.mayBe = false }
        case "flags":
            if isDone {
                boxes[box]?.messages[fields[2]]?.flags = [fields[3]]
            } else {
                boxes[box]?.messages[fields[2]]?.flags.insert(fields[3])
            }
        case "delete":
            boxes[box]!.mayNotBe = true
            if isDone { boxes[box]!.mayBe = false }
        case "rename":
            if isDone { boxes[box]!.names = [fields[2]] } else { boxes[box]!.names.insert(fields[2]) }
        case "kept":
            kept.insert(box)
        case "unsure":
            unsure.insert(box)
        case "subscribe", "unsubscribe":
            let value = fields[0] == "subscribe"
            if isDone { subscribed[box] = [value] } else { subscribed[box, default: [!value]].insert(value) }
        default:
            fatalError("an unknown fact: \(line)")
        }
    }
}
