import ArgumentParser
import Glibc

/// Statuses with which imapctl ends; those of a wrong command line are ArgumentParser's (64).
enum Outcome {
    static let clean = ExitCode(0)
    static let problems = ExitCode(1)
    static let failed = ExitCode(2)
}

/// Runs what a subcommand does: a failure is told, and has its exit status.
func command(_ body: () throws(ControlFailure) -> ExitCode) throws {
    let outcome: ExitCode
    do throws(ControlFailure) {
        outcome = try body()
    } catch {
        Output.error(error.description)
        throw Outcome.failed
    }
    if outcome != Outcome.clean { throw outcome }
}

/// Lines for people and programs. Nothing that comes from a file's name can break a line or move a terminal's cursor.
enum Output {
    static func line(_ text: String) { write(text + "\n", to: 1) }

    static func error(_ text: String) { write("imapctl: " + text + "\n", to: 2) }

    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let wrote = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if wrote < 0, errno == EINTR { continue }
            if wrote <= 0 { return }
            bytes = bytes.dropFirst(wrote)
        }
    }

    /// What a terminal would act on is replaced.
    static func safe(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: result.append("?")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
