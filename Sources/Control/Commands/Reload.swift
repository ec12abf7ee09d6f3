import ArgumentParser

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the running imapd read its settings and certificates again.",
        discussion: """
            No connection ends. If anything is wrong, nothing changes, and all that is wrong is told. Some settings change only \
            when imapd is started again; its log names them.
            """)

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try command { () throws(ControlFailure) in
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
