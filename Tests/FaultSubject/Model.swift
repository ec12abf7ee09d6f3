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
///     +released text                      it need not be any more
///     +loose    text                      another program has changed the flags of the message of this text
///     +unsure   text                      another program has removed the message of this text
///     +subscribe, +unsubscribe name
struct Model {
    struct Message {
        var mayBe = true
        var mayNotBe = false
        var uid: UInt32?
        var flags: Set<String> = []

        var isCertain: Bool { mayBe && !mayNotBe }
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

        var isCertain: Bool { mayBe && !mayNotBe && names.count == 1 }
    }

    var boxes: [String: Box] = [:]
    var kept: Set<String> = []
    var subscribed: [String: Set<Bool>] = [:]
    var loose: Set<String> = []
    var unsure: Set<String> = []
    /// Facts that cannot be true beside others.
    private(set) var contradictions: [String] = []

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
            let value = UInt32(fields[2])!
            if let known = boxes[box]!.validity, known != value {
                contradictions.append("\(box) had the UIDVALIDITY \(known) and has \(value)")
            }
            for (other, there) in boxes where other != box && there.validity == value
                && !there.names.isDisjoint(with: boxes[box]!.names) {
                contradictions.append("\(box) has the UIDVALIDITY \(value) of \(other), which had its name")
            }
            boxes[box]!.validity = value
        case "uid":
            see(UInt32(fields[2])!, fields[3], in: box)
        case "add":
            var message = boxes[box]!.messages[fields[3]] ?? Message()
            message.mayNotBe = !isDone
            message.flags = [fields[4]]
            boxes[box]!.messages[fields[3]] = message
            if isDone, let uid = UInt32(fields[2]) { see(uid, fields[3], in: box) }
            if isDone {
                boxes[box]!.groups[fields[5]] = nil
            } else {
                boxes[box]!.groups[fields[5], default: []].append(fields[3])
            }
        case "remove":
            boxes[box]?.messages[fields[2]]?.mayNotBe = true
            // What has come in may go alone.
            for group in boxes[box]?.groups.keys.sorted() ?? [] { boxes[box]!.groups[group]!.removeAll { $0 == fields[2] } }
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
        case "released":
            kept.remove(box)
        case "loose":
            loose.insert(box)
        case "unsure":
            unsure.insert(box)
        case "subscribe", "unsubscribe":
            let value = fields[0] == "subscribe"
            if isDone { subscribed[box] = [value] } else { subscribed[box, default: [!value]].insert(value) }
        default:
            fatalError("an unknown fact: \(line)")
        }
    }

    private mutating func see(_ uid: UInt32, _ text: String, in box: String) {
        if let known = boxes[box]!.uids[uid], known != text {
            contradictions.append("\(box): UID \(uid) was \(known) and is \(text)")
        }
        if let known = boxes[box]!.messages[text]?.uid, known != uid {
            contradictions.append("\(box): \(text) had UID \(known) and has \(uid)")
        }
        boxes[box]!.uids[uid] = text
        boxes[box]!.messages[text]?.uid = uid
    }
}
