// Feeds a target with what libFuzzer finds interesting: README.md beside this file tells how.
//
//     fuzz TARGET [libFuzzer's options and corpora]
import Glibc

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Written once, before the first input.
nonisolated(unsafe) private var target: (UnsafeRawBufferPointer) -> Void = { _ in }

private let names = targets.keys.sorted()
guard CommandLine.arguments.count > 1, let chosen = targets[CommandLine.arguments[1]] else {
    print("fuzz TARGET [option ...] [corpus ...]; targets are \(names.joined(separator: ", "))")
    exit(64)
}
target = chosen

private let arguments = [CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2)
private let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
for (index, argument) in arguments.enumerated() { words[index] = strdup(argument) }
words[arguments.count] = nil
private var count = Int32(arguments.count)
private var list = words
exit(runDriver(&count, &list) { feed($0, $1) })

/// The name that libFuzzer knows.
@_cdecl("LLVMFuzzerTestOneInput")
public func feed(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    target(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
}
