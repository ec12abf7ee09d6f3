import CFaults
import Glibc
import Synchronization

/// Lines that processes write before and after each thing that they do, in memory that they share with their parent: they are
/// there however a process ends, and those of several are in the order in which they were written.
struct Facts: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer
    private static let size = 4 << 20

    init() {
        guard let memory = faults_shared_memory(UInt64(Self.size)) else { fatalError("no shared memory") }
        self.memory = memory
        length.initialize(to: Atomic(0))
    }

    private var length: UnsafeMutablePointer<Atomic<Int>> { memory.assumingMemoryBound(to: Atomic<Int>.self) }

    func clear() { length.pointee.store(0, ordering: .relaxed) }

    func note(_ line: String) {
        var text = line
        text.append("\n")
        text.withUTF8 { bytes in
            let at = length.pointee.add(bytes.count, ordering: .relaxed).oldValue
            guard 8 + at + bytes.count <= Self.size else { fatalError("too many facts") }
            (memory + 8 + at).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        }
    }

    var lines: [String] {
        String(decoding: UnsafeRawBufferPointer(start: memory + 8, count: length.pointee.load(ordering: .relaxed)), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }
}
