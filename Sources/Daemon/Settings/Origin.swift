/// Where a value was chosen.
enum Origin: Sendable, Equatable {
    case file(String, line: Int)
    case option

    /// An error in that value, which begins with where to look and for what.
    ///
    /// - Parameter status: of an option's error; in a file it is always one of configuration.
    func error(_ name: String, _ reason: String, _ status: ExitStatus = .usage) -> StartError {
        switch self {
        case .file(let path, let line): .configuration("\(path):\(line): \(name): \(reason)")
        case .option: StartError(status: status, line: "--\(name): \(reason)")
        }
    }
}

/// A value as it was written.
struct Assignment: Sendable {
    var setting: Setting
    var text: String
    var origin: Origin
}
