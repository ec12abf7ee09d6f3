import IMAPGrammar
import IMAPTypes

/// Commands before and after login, in pieces. Pieces must not matter, and nothing is held beyond the limits.
func fuzzCommands(_ input: UnsafeRawBufferPointer) {
    let (choices, bytes) = split(input, choices: 2)
    let limits: CommandReader.Limits = choices[0] & 1 == 0 ? .afterLogin : .beforeLogin
    let mode: WireMode = [[], .imap4rev2, .utf8Accept, [.imap4rev2, .utf8Accept]][Int(choices[0] >> 1 & 3)]
    let whole = heard(bytes, limits, mode, piece: max(1, bytes.count))
    let pieces = heard(bytes, limits, mode, piece: Int(choices[1] % 32) + 1)
    precondition(whole == pieces, "pieces matter")
}

/// What a reader hears: commands as they are, all else as text.
private func heard(_ bytes: UnsafeRawBufferPointer, _ limits: CommandReader.Limits, _ mode: WireMode, piece: Int) -> [[UInt8]] {
    var reader = CommandReader(limits)
    reader.mode = mode
    var heard: [[UInt8]] = []
    func hear(_ text: String) { heard.append(Array(text.utf8)) }
    var at = 0
    /// Whether there was more.
    func fill() -> Bool {
        guard at < bytes.count else { return false }
        let end = min(bytes.count, at + piece)
        reader.append(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
        at = end
        return true
    }
    while true {
        while reader.messageBytesDue > 0, reader.takeMessageBytes({ _ in }) > 0 || fill() {}
        guard reader.messageBytesDue == 0 else { return heard }
        switch reader.next() {
        case .incomplete: if !fill() { return heard }
        case .command(let command):
            heard.append(command)
            _ = try? Parser.command(command, mode: mode)
            _ = try? Parser.preAuthCommand(command)
        case .continuation: hear("continuation")
        case .append(let header):
            hear("append \(header)")
            reader.accept()
        case .appendEnd: hear("end")
        case .rejected(let rejection): hear("rejected \(rejection)")
        }
    }
}
