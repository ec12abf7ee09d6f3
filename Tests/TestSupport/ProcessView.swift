import Foundation
import Glibc

/// What the kernel tells of a process (proc(5)).
public struct ProcessView: Sendable, Hashable {
    public let pid: pid_t

    public init(_ pid: pid_t) { self.pid = pid }

    private func text(_ file: String) -> String? {
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(file)") else { return nil }
        return String(decoding: data, as: UTF8.self)
    }

    /// Of `/proc/PID`, whole: the kernel gives it piece by piece.
    public func whole(_ file: String) -> String? {
        let descriptor = open("/proc/\(pid)/\(file)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// As ps(1) shows it.
    public var title: String {
        (text("cmdline") ?? "").split(separator: "\0").joined(separator: " ")
    }

    /// As top(1) shows it.
    public var command: String { (text("comm") ?? "").trimmingCharacters(in: .newlines) }

    /// The words after `field` in `/proc/PID/status`.
    public func status(_ field: String) -> [String] {
        for line in (text("status") ?? "").split(separator: "\n") where line.hasPrefix("\(field):") {
            return line.dropFirst(field.count + 1).split { $0 == " " || $0 == "\t" }.map(String.init)
        }
        return []
    }

    public var parent: pid_t? { status("PPid").first.flatMap { pid_t($0) } }
    public var isZombie: Bool { status("State").first == "Z" }

    /// Processes whose parent this is.
    public var children: [ProcessView] { Self.all.filter { $0.parent == pid } }

    /// Children, their children, and so on.
    public var descendants: [ProcessView] {
        let children = children
        return children + children.flatMap(\.descendants)
    }

    public static var all: [ProcessView] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.map(ProcessView.init)
    }

    /// What its descriptors lead to, by their numbers.
    public var descriptors: [Int: String] {
        var found: [Int: String] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd")) ?? [] {
            guard let number = Int(name) else { continue }
            found[number] = link("fd/\(name)")
        }
        return found
    }

    /// The root directory; with " (deleted)" if it has no name any more.
    public var root: String { link("root") ?? "" }
    public var workingDirectory: String { link("cwd") ?? "" }

    /// What is in its root directory.
    public var rootContent: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/root/")) ?? ["?"]
    }

    /// Its soft and hard limit of "Max open files" and the like.
    public func limit(_ name: String) -> (soft: String, hard: String)? {
        for line in (text("limits") ?? "").split(separator: "\n") where line.hasPrefix(name) {
            let words = line.dropFirst(name.count).split(separator: " ")
            return (String(words[0]), String(words[1]))
        }
        return nil
    }

    /// Whether any of `needles` is in its memory. It is held while we look.
    public func memoryHolds(_ needles: [[UInt8]]) throws -> Bool {
        let memory = open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        guard memory >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { close(memory) }
        var read = 0
        for line in (whole("maps") ?? "").split(separator: "\n") {
            // Address range, rights, …: what is no longer mapped, or the kernel's, cannot be read.
            let words = line.split(separator: " ")
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard words[1].hasPrefix("r"), ends.count == 2, line.hasSuffix("[vvar]") == false, ends[0] < 1 << 47 else { continue }
            var bytes = [UInt8](repeating: 0, count: Int(ends[1] - ends[0]))
            let count = pread(memory, &bytes, bytes.count, off_t(ends[0]))
            guard count > 0 else { continue }
            read += count
            for needle in needles where !needle.isEmpty {
                let found = bytes.withUnsafeBytes { memmem($0.baseAddress!, count, needle, needle.count) }
                if found != nil { return true }
            }
        }
        guard read > 0 else { throw POSIXError(.EPERM) }
        return false
    }

    private func link(_ name: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(pid)/\(name)", &buffer, buffer.count)
        guard count >= 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// glibc has it, but shows it to C programs only that define _GNU_SOURCE.
@_silgen_name("memmem")
private func memmem(_ haystack: UnsafeRawPointer, _ count: Int, _ needle: UnsafePointer<UInt8>, _ needleCount: Int)
    -> UnsafeMutableRawPointer?
