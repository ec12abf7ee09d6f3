import Glibc

/// What holds in the end: options over the file, the file over the defaults.
enum SettingsReader {
    /// Reads the command line, and the file that it names or the default one. Every error is told, also of values that count
    /// for nothing because an option overrides them.
    ///
    /// - Parameter running: settings in force, when they are read again: some of them stay until the daemon is started again.
    static func read(
        _ arguments: some Collection<String>, after running: Settings? = nil
    ) -> (settings: Settings, errors: [StartError]) {
        var (options, errors) = CommandLineParser.parse(arguments)
        var chosen = Settings()
        // Whose errors are told below, with the others.
        for option in options where option.setting.traits.contains(.commandLineOnly) {
            try? option.setting.set(&chosen, option.text)
        }
        // Who asks for help may need it because of the file.
        let needsFile = chosen.information != .help && chosen.information != .version
        let path = chosen.configuration ?? Settings.defaultConfiguration
        var file = needsFile ? ConfigurationFile.read(path, mayBeMissing: chosen.configuration == nil) : .init()
        errors += file.errors

        var pending: [String] = []
        if let running { pending = keep(running, &file.assignments, options) }
        var settings = combine(file: file.assignments, options: options, &errors)
        // What a predecessor has left is taken once.
        settings.arguments = arguments.filter { !$0.hasPrefix("--succeed=") }
        settings.pending = pending
        return (settings, errors)
    }

    /// Values of a list are those of the options, if there are any, else those of the file.
    private static func combine(file: [Assignment], options: [Assignment], _ errors: inout [StartError]) -> Settings {
        var settings = Settings()
        var overridden = Settings()
        var optional = Set(options.map(\.setting.name))
        // Who says where to listen says all of it.
        if !optional.isDisjoint(with: addresses) { optional.formUnion(addresses) }
        for assignment in file + options {
            let counts = assignment.origin == .option || !optional.contains(assignment.setting.name)
            do throws(Setting.BadValue) {
                if counts {
                    try assignment.setting.set(&settings, assignment.text)
                    settings.given.append(assignment)
                } else {
                    try assignment.setting.set(&overridden, assignment.text)
                }
            } catch {
                errors.append(assignment.origin.error(assignment.setting.name, error.reason))
            }
        }
        settings.warnings = warnings(file)
        return settings
    }

    /// Puts what cannot change now back to what it is. Returns the names of the settings that would have changed.
    private static func keep(_ running: Settings, _ file: inout [Assignment], _ options: [Assignment]) -> [String] {
        let optional = Set(options.map(\.setting.name))
        let before = running.given.filter { $0.setting.traits.contains(.needsRestart) && $0.origin != .option }
        let after = file.filter { $0.setting.traits.contains(.needsRestart) && !optional.contains($0.setting.name) }
        file = file.filter { !$0.setting.traits.contains(.needsRestart) } + before
        let texts = { (assignments: [Assignment], name: String) in assignments.filter { $0.setting.name == name }.map(\.text) }
        return Setting.all.map(\.name).filter { texts(before, $0) != texts(after, $0) }
    }

    private static let addresses: Set<String> = ["listen", "listen-tls", "host", "port"]

    private static func warnings(_ file: [Assignment]) -> [String] {
        for case let assignment in file where assignment.setting.traits.contains(.secret) {
            guard case .file(let path, let line) = assignment.origin else { continue }
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & 0o004 != 0 else { continue }
            return ["\(path):\(line): \(assignment.setting.name) is secret, and everybody can read the file: chmod o= \(path)"]
        }
        return []
    }

    // MARK: - Telling

    /// The settings in force, as a file would have them, each with where it was chosen.
    static func shown(_ settings: Settings) -> String {
        var lines: [(text: String, origin: String)] = []
        for setting in Setting.all where !setting.traits.contains(.commandLineOnly) {
            let given = settings.given.filter { $0.setting.name == setting.name }
            for assignment in setting.isList ? given[...] : given.suffix(1) {
                let origin = switch assignment.origin {
                case .file(let path, let line): "\(path):\(line)"
                case .option: "option"
                }
                let text = setting.traits.contains(.secret)
                    ? "# \(setting.name) is set" : "\(setting.name) = \(ConfigurationFile.written(assignment.text))"
                lines.append((text, origin))
            }
            if given.isEmpty {
                // Words are not to be mistaken for a value.
                let value = ConfigurationFile.written(setting.standard)
                let text = setting.standardIsValue ? "\(setting.name) = \(value)" : "# \(setting.name): \(setting.standard)"
                lines.append((text, "default"))
            }
        }
        let width = min(lines.map(\.text.count).max() ?? 0, 50)
        return lines.map { line in
            line.text + String(repeating: " ", count: max(0, width - line.text.count)) + "  # \(line.origin)\n"
        }.joined()
    }
}
