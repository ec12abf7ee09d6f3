/// What can be fuzzed. A target takes any bytes, and traps where something is wrong.
nonisolated(unsafe) let targets: [String: (UnsafeRawBufferPointer) -> Void] = [
    "command": fuzzCommands,
    "message": fuzzMessage,
    "text": fuzzText,
    "log": fuzzLog,
    "index": fuzzIndex,
    "cache": fuzzCache,
    "uidlist": fuzzForeignList,
    "keywords": fuzzForeignKeywords,
    "monitor": fuzzMonitor,
    "results": fuzzResults,
    "proxy": fuzzProxy,
    "handshake": fuzzHandshake,
    "session": fuzzSession,
    "gate": fuzzGate,
]

/// The first bytes of an input that choose between cases; the rest is the data.
func split(_ input: UnsafeRawBufferPointer, choices: Int) -> (choices: [UInt8], rest: UnsafeRawBufferPointer) {
    (Array(input.prefix(choices)) + [UInt8](repeating: 0, count: max(0, choices - input.count)),
     UnsafeRawBufferPointer(rebasing: input.dropFirst(choices)))
}
