import Glibc

/// A password: never printed, overwritten when nobody needs it any more.
public final class Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The bytes, and a NUL for those who want a C string.
    private let storage: UnsafeMutableRawBufferPointer
    private var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage.dropLast()) }

    public init(_ source: some Collection<UInt8>) {
        storage = .allocate(byteCount: source.count + 1, alignment: 1)
        storage.copyBytes(from: source)
        storage[source.count] = 0
    }

    deinit {
        explicit_bzero(storage.baseAddress!, storage.count)
        storage.deallocate()
    }

    public var count: Int { storage.count - 1 }

    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(bytes)
    }

    public func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawPointer(storage.baseAddress!).assumingMemoryBound(to: CChar.self))
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    public func matches(_ other: Secret) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0
        for index in bytes.indices { difference |= bytes[index] ^ other.bytes[index] }
        return difference == 0
    }

    public var description: String { "…" }
    public var debugDescription: String { "…" }
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension [UInt8] {
    /// Overwrites the bytes where they are. Copies of this array share them until one is changed, so that this overwrites
    /// what the copies hold too: for arrays that nobody will read again.
    public func wipe() {
        withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { explicit_bzero(UnsafeMutableRawPointer(mutating: start), bytes.count) }
        }
    }
}
