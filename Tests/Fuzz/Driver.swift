// Feeds a target with what libFuzzer finds interesting: README.md beside this file tells how.
//
//     fuzz TARGET [libFuzzer's options and corpora]
//
// libFuzzer has the main function, and calls these two.
import Glibc

/// Written once, before the first input.
nonisolated(unsafe) private var target: (UnsafeRawBufferPointer) -> Void = { _ in }

/// Where processes that libFuzzer starts, which get its options only, find the target's name.
private let variable = "IMAPD_FUZZ_TARGET"

/// Before anything else: takes the target's name from the arguments.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> Int32 {
    let words = arguments.pointee
    if let inherited = getenv(variable).flatMap({ targets[String(cString: $0)] }) {
        target = inherited
        return 0
    }
    guard count.pointee > 1, let name = words[1], let chosen = targets[String(cString: name)] else {
        print("fuzz TARGET [option ...] [corpus ...]; targets are \(targets.keys.sorted().joined(separator: ", "))")
        exit(64)
    }
    target = chosen
    setenv(variable, name, 1)
    for index in 1..<Int(count.pointee) { words[index] = words[index + 1] }
    count.pointee -= 1
    return 0
}

/// The name that libFuzzer knows.
@_cdecl("LLVMFuzzerTestOneInput")
public func feed(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    target(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
