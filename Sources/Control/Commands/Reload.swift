import ArgumentParser
import Glibc

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the running imapd read its settings and certificates again.",
        discussion: """
            No connection ends. If anything is wrong, nothing changes, and all that is wrong is told. Some settings change only \
            when imapd is started again; its log names them.
            """)

    @OptionGroup var daemon: DaemonOptions

    @Option(help: ArgumentHelp(
        "Where there is no control socket, send SIGHUP to this process; its log tells what came of it.", valueName: "number"))
    var orSignal: Int32?

    func validate() throws {
        if let orSignal, orSignal < 1 { throw ValidationError("--or-signal wants a process ID") }
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            if let orSignal, try !daemon.hasSocket() {
                guard kill(orSignal, SIGHUP) == 0 else {
                    throw ControlFailure("process \(orSignal): \(String(cString: strerror(errno)))")
                }
                return Outcome.clean
            }
            daemon.show(try daemon.count("reload"), "the settings are read again")
            return Outcome.clean
        }
    }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends the running imapd.",
        discussion: "Every session says goodbye to its client. Returns when imapd has ended.")

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try command { () throws(ControlFailure) in
            let count = try daemon.count("stop")
            daemon.show(count, "imapd has ended, with \(count == 1 ? "1 connection" : "\(count) connections")")
            return Outcome.clean
        }
    }
}
