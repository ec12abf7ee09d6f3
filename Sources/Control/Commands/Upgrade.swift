import ArgumentParser

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the program that is installed now take the place of the running imapd.",
        discussion: """
            No connection ends, and none is refused: sessions go on with the program that they began with, and clients to come \
            get the new one. If the new one would not start, nothing changes, and what is wrong is told.
            """)

    @OptionGroup var daemon: DaemonOptions

    func run() throws {
        try command { () throws(ControlFailure) in
            let count = try daemon.count("upgrade")
            daemon.show(count, "the new program has taken over, with \(count == 1 ? "1 connection" : "\(count) connections")")
            return Outcome.clean
        }
    }
}
