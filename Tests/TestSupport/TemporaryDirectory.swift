import Foundation
import Glibc

/// A directory that lasts as long as this object.
public final class TemporaryDirectory: Sendable {
    public let url: URL

    public init() throws {
        var template = Array("\(FileManager.default.temporaryDirectory.path)/imapd-test-XXXXXX".utf8CString)
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
