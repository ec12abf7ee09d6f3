import Foundation
import Glibc

/// A directory that lasts as long as this object.
public final class TemporaryDirectory: Sendable {
    public let url: URL

    /// - Parameter inMemory: in a file system without a disk, if there is one: for tests that sync without end.
    public init(inMemory: Bool = false) throws {
        let memory = "/dev/shm", usual = FileManager.default.temporaryDirectory.path
        let parent = inMemory && access(memory, W_OK) == 0 ? memory : usual
        var template = Array("\(parent)/imapd-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        url = URL(fileURLWithPath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self),
                  isDirectory: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    public func path(_ name: String) -> String {
        url.appendingPathComponent(name).path
    }
}
