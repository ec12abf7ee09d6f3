import CLinux
import Glibc

/// What ps(1) and top(1) call this process.
///
/// The kernel shows the memory where the arguments were, and what follows them. `prepare()` moves the environment out of
/// that memory, so that a title may be longer than the command line was.
enum ProcessTitle {
    private struct Room {
        var start: UInt
        var count: Int
    }

    /// Once, before there are threads. Whoever wants the arguments must have taken them.
    static func prepare() {
        guard room == nil, let found = findRoom() else { return }
        clinux_keep_program_name()
        var index = 0
        while let string = environ[index] {
            environ[index] = strdup(string)
            index += 1
        }
        room = found
    }

    /// - Parameters:
    ///   - role: a word or two, and perhaps a user's name.
    ///   - command: what top(1) shows, if that is something else: 8 bytes of it.
    static func set(_ role: String, command: String? = nil) {
        // Without a copy, for which Swift would make the type in each process.
        "imapd: \(command ?? role)".withCString { _ = clinux_set_command_name($0) }
        change(role)
    }

    /// Only what ps(1) shows, for which no system call is needed.
    static func change(_ role: String) {
        guard let room, let memory = UnsafeMutableRawPointer(bitPattern: room.start) else { return }
        let title = Array("imapd: \(role)".utf8.prefix(room.count - 1))
        // In this order there is a title at any moment.
        memory.copyMemory(from: title, byteCount: title.count)
        memset(memory + title.count, 0, room.count - title.count)
    }

    /// Written once by `prepare()`, in the listener, which has one thread.
    nonisolated(unsafe) private static var room: Room?

    /// From proc(5), /proc/self/stat: arg_start is field 48, env_end 51.
    private static func findRoom() -> Room? {
        let descriptor = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0, let name = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else { return nil }
        // Field 3 is the first after the name.
        let fields = bytes[(name + 1)..<count].split(whereSeparator: { $0 == 0x20 || $0 == 0x0A })
        guard fields.count > 48, let start = UInt(String(decoding: fields[45], as: UTF8.self)),
              let argumentsEnd = UInt(String(decoding: fields[46], as: UTF8.self)),
              let end = UInt(String(decoding: fields[48], as: UTF8.self)),
              start > 0, argumentsEnd > start
        else { return nil }
        return Room(start: start, count: Int(clamping: max(end, argumentsEnd) - start))
    }
}
