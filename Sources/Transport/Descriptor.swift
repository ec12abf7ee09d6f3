import CLinux
import Glibc
import SystemPackage

/// A file descriptor that somebody owns: closed when its owner goes.
public struct Descriptor: ~Copyable {
    public let number: Int32

    public init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Gives the number away; nobody closes it but the caller.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// Two connected stream sockets.
    public static func streamPair() throws(Errno) -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        guard clinux_stream_pair(&ends) == 0 else { throw Errno(rawValue: errno) }
        return DescriptorPair(first: Descriptor(owning: ends[0]), second: Descriptor(owning: ends[1]))
    }

    /// `first` is for reading, `second` for writing.
    public static func pipe() throws(Errno) -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
        return DescriptorPair(first: Descriptor(owning: ends[0]), second: Descriptor(owning: ends[1]))
    }
}

/// Tuples cannot hold what is not copyable.
public struct DescriptorPair: ~Copyable {
    public var first: Descriptor
    public var second: Descriptor

    public init(first: consuming Descriptor, second: consuming Descriptor) {
        self.first = first
        self.second = second
    }

    /// Gives both numbers away.
    public consuming func release() -> (first: Int32, second: Int32) {
        (first.release(), second.release())
    }
}
