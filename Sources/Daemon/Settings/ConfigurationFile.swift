import Glibc
import SystemPackage

/// imapd.conf(5): lines of `name = value`, empty ones, and comments after `#`.
///
/// A value ends with its line, or before white space and `#`; in quotation marks it may hold anything, with a backslash before
/// marks and backslashes.
enum ConfigurationFile {
    struct Content {
        var assignments: [Assignment] = []
        var errors: [StartError] = []
    }

    /// No file of settings is that long, in bytes.
    private static let longest = 1 << 20

    /// - Parameter mayBeMissing: for the default file.
    static func read(_ path: String, mayBeMissing: Bool) -> Content {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try contents(of: path)
        } catch {
            if mayBeMissing, error == .noSuchFileOrDirectory { return Content() }
            return Content(errors: [.configuration("settings cannot be read from \(path): \(error)")])
        }
        guard bytes.count <= longest, !bytes.contains(0) else {
            return Content(errors: [.configuration("\(path) is no file of settings: it is not text, or longer than a megabyte")])
        }
        return parse(bytes, path: path)
    }

    private static func contents(of path: String) throws(Errno) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= longest {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Errno(rawValue: errno) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// Everything that can be read is; every error is told, with its line.
    static func parse(_ bytes: [UInt8], path: String) -> Content {
        var content = Content()
        var lines: [String: Int] = [:]
        for (index, raw) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            func fail(_ reason: String) { content.errors.append(.configuration("\(path):\(number): \(reason)")) }
            guard let line = String(validating: raw, as: UTF8.self) else {
                fail("this is not UTF-8")
                continue
            }
            do throws(Malformed) {
                guard let (name, text) = try assignment(line) else { continue }
                guard let setting = Setting.named(name) else {
                    let known = Setting.all.filter { !$0.traits.contains(.commandLineOnly) }.map(\.name)
                    let hint = SettingName.nearest(to: name, among: known).map { "; did you mean \($0)?" }
                    fail("there is no setting \(name)\(hint ?? "; see imapd.conf(5)")")
                    continue
                }
                guard !setting.traits.contains(.commandLineOnly) else {
                    fail("\(name) is an option of the command line, not a setting")
                    continue
                }
                if !setting.isList, let before = lines.updateValue(number, forKey: name) {
                    fail("\(name): it is set already, on line \(before)")
                    continue
                }
                content.assignments.append(Assignment(setting: setting, text: text, origin: .file(path, line: number)))
            } catch {
                fail(error.reason)
            }
        }
        return content
    }

    // MARK: - Lines

    private struct Malformed: Error {
        var reason: String
    }

    /// `nil` for a line that sets nothing.
    private static func assignment(_ line: String) throws(Malformed) -> (name: String, text: String)? {
        let line = line.trimmingSpaces
        guard let first = line.first, first != "#" else { return nil }
        guard let sign = line.firstIndex(of: "="), !line[..<sign].contains("#") else {
            throw Malformed(reason: "\"\(line.prefix(40))\" is not NAME = VALUE")
        }
        let name = line[..<sign].trimmingSpaces
        guard !name.isEmpty, !name.contains(where: \.isWhitespace) else {
            throw Malformed(reason: "\"\(line.prefix(40))\" is not NAME = VALUE")
        }
        return (String(name), try value(line[line.index(after: sign)...].trimmingSpaces))
    }

    private static func value(_ text: Substring) throws(Malformed) -> String {
        guard text.first == "\"" else {
            var end = text.startIndex
            var isAfterSpace = true
            while end < text.endIndex, !(isAfterSpace && text[end] == "#") {
                isAfterSpace = text[end].isWhitespace
                end = text.index(after: end)
            }
            return String(text[..<end].trimmingSpaces)
        }
        var value = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            switch character {
            case "\"":
                let after = rest.trimmingSpaces
                guard after.isEmpty || after.first == "#" else {
                    throw Malformed(reason: "there is something after the quoted value: \(after.prefix(40))")
                }
                return value
            case "\\":
                guard let escaped = rest.popFirst(), escaped == "\"" || escaped == "\\" else {
                    throw Malformed(reason: "a backslash in a quoted value stands before a quotation mark or a backslash")
                }
                value.append(escaped)
            default: value.append(character)
            }
        }
        throw Malformed(reason: "the quotation mark at the end is missing")
    }

    /// As a line of a file would have it.
    static func written(_ value: String) -> String {
        let isPlain = value.first != "\"" && value.first != "#" && value == value.trimmingSpaces && !value.isEmpty
            && !zip(value, value.dropFirst()).contains { $0.isWhitespace && $1 == "#" }
        guard !isPlain else { return value }
        return "\"" + value.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
    }
}

extension StringProtocol {
    /// Without white space at either end.
    var trimmingSpaces: Substring {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }
}
