import ArgumentParser

struct Kick: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends connections to the running imapd.",
        discussion: "Their clients are told that an administrator did it. The exit status is 1 if there was none to end.")

    @OptionGroup var daemon: DaemonOptions

    @Option(help: ArgumentHelp("The connection that this process serves.", valueName: "number"))
    var pid: Int32?

    @Option(help: ArgumentHelp("All connections from an address, or from a network: 192.0.2.0/24.", valueName: "address"))
    var address: String?

    @Argument(help: "All connections of this user.")
    var user: String?

    func validate() throws {
        guard [pid != nil, address != nil, user != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("Name a user, or --pid, or --address.")
        }
        if let pid, pid < 1 { throw ValidationError("A process ID is a number from 1.") }
        for text in [user, address].compactMap({ $0 }) where text.isEmpty || text.utf8.contains(0x0A) {
            throw ValidationError("That is no name.")
        }
    }

    func run() throws {
        try command { () throws(ControlFailure) in
            let whom = pid.map { "process \($0)" } ?? address.map { "network \($0)" } ?? "user \(user ?? "")"
            let count = try daemon.count("kick \(whom)")
            daemon.show(count, count == 1 ? "1 connection is ended" : "\(count) connections are ended")
            return count == 0 ? Outcome.problems : Outcome.clean
        }
    }
}

extension DaemonOptions {
    private struct Count: Decodable {
        var count: Int
    }

    /// How many something was about that was to be done.
    func count(_ request: String) throws(ControlFailure) -> Int {
        guard let line = try ask(request).first else { return 0 }
        let count: Count = try DaemonSocket.decode(line)
        return count.count
    }

    func show(_ count: Int, _ words: String) { Output.line(json ? "{\"count\":\(count)}" : words) }
}
