/// Reads the command line by the table of settings.
///
/// `--name value`, `--name=value`, `-n value`, `-nvalue`; a switch stands alone or is `--name=no`.
enum CommandLineParser {
    /// Everything that can be read is; every error is told, in the order of the arguments.
    static func parse(_ arguments: some Collection<String>) -> (settings: Settings, errors: [StartError]) {
        var settings = Settings()
        var errors: [StartError] = []
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            guard argument.first == "-", argument.count > 1 else {
                errors.append(.usage("\"\(argument)\" is not an option; see imapd --help"))
                continue
            }
            guard let (setting, attached) = find(argument) else {
                let hint = nearest(to: argument).map { "; did you mean --\($0)?" } ?? "; see imapd --help"
                errors.append(.usage("there is no option \(argument.prefix { $0 != "=" })\(hint)"))
                // What follows was meant as its value, as likely as not.
                if let next = rest.first, next.first != "-" { rest.removeFirst() }
                continue
            }
            let value: String
            if let attached {
                value = attached
            } else if setting.value == nil {
                value = "yes"
            } else if let next = rest.first, !isOption(next) {
                value = next
                rest.removeFirst()
            } else {
                errors.append(.usage("--\(setting.name) needs a value: \(setting.value ?? "")"))
                continue
            }
            do throws(Setting.BadValue) {
                try setting.set(&settings, value)
            } catch {
                errors.append(.usage("--\(setting.name): \(error.reason)"))
            }
        }
        return (settings, errors)
    }

    private static func find(_ argument: String) -> (Setting, attached: String?)? {
        if argument.hasPrefix("--") {
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Setting.all.first { $0.name == parts[0] }.map { ($0, parts.count > 1 ? String(parts[1]) : nil) }
        }
        let short = argument[argument.index(after: argument.startIndex)]
        let value = argument.dropFirst(2)
        return Setting.all.first { $0.short == short }.map { ($0, value.isEmpty ? nil : String(value)) }
    }

    /// "-1" and "-" are values, if bad ones; so is whatever names no setting.
    private static func isOption(_ argument: String) -> Bool {
        argument.hasPrefix("-") && argument.count > 1 && find(argument) != nil
    }

    /// The setting that somebody may have meant: up to 2 letters away, or begun with these.
    static func nearest(to argument: String) -> String? {
        let name = String(argument.drop { $0 == "-" }.prefix { $0 != "=" })
        guard name.count > 1 else { return nil }
        let ranked = Setting.all.map { ($0.name, distance(name, $0.name)) }.min { $0.1 < $1.1 }
        if let ranked, ranked.1 <= 2 { return ranked.0 }
        return Setting.all.first { $0.name.hasPrefix(name) || name.hasPrefix($0.name) }?.name
    }

    /// Letters to insert, remove or replace (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second)
        var row = Array(0...second.count)
        for (line, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for column in second.indices {
                let replaced = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[second.count]
    }

    // MARK: - Help

    static var help: String {
        var text = """
            imapd: an IMAP4rev2 server

            imapd [--storage memory] [options]      for yourself: no root, mail in memory, on this machine only
            sudo imapd --fork --tls [options]       for a mail host: system users, their ~/Maildir, ports 143 and 993

            Options:

            """
        for setting in Setting.all {
            let short = setting.short.map { "-\($0), " } ?? "    "
            text += "  \(short)--\(setting.name)\(setting.value.map { " " + $0 } ?? "")\n"
            text += wrapped(setting.documentation, indent: 10)
        }
        text += "\nExit status:\n\n"
        for status in ExitStatus.allCases {
            text += "  \(status.rawValue)\(status.rawValue < 10 ? " " : "")  \(status.meaning)\n"
        }
        return text
    }

    private static func wrapped(_ text: String, indent: Int, width: Int = 100) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines = ""
        var line = margin
        for word in text.split(separator: " ") {
            if line.count + word.count + 1 > width {
                lines += line + "\n"
                line = margin
            }
            line += (line == margin ? "" : " ") + word
        }
        return lines + line + "\n"
    }
}
