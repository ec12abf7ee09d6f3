/// Reads the command line by the table of settings.
///
/// `--name value`, `--name=value`, `-n value`, `-nvalue`; a switch stands alone or is `--name=no`.
enum CommandLineParser {
    /// Everything that can be read is; every error is told, in the order of the arguments.
    static func parse(_ arguments: some Collection<String>) -> (assignments: [Assignment], errors: [StartError]) {
        var assignments: [Assignment] = []
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
            assignments.append(Assignment(setting: setting, text: value, origin: .option))
        }
        return (assignments, errors)
    }

    private static func find(_ argument: String) -> (Setting, attached: String?)? {
        if argument.hasPrefix("--") {
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Setting.named(parts[0]).map { ($0, parts.count > 1 ? String(parts[1]) : nil) }
        }
        let short = argument[argument.index(after: argument.startIndex)]
        let value = argument.dropFirst(2)
        return Setting.all.first { $0.short == short }.map { ($0, value.isEmpty ? nil : String(value)) }
    }

    /// "-1" and "-" are values, if bad ones; so is whatever names no setting.
    private static func isOption(_ argument: String) -> Bool {
        argument.hasPrefix("-") && argument.count > 1 && find(argument) != nil
    }

    /// The setting that somebody may have meant.
    static func nearest(to argument: String) -> String? {
        SettingName.nearest(to: String(argument.drop { $0 == "-" }.prefix { $0 != "=" }), among: Setting.all.map(\.name))
    }

    // MARK: - Help

    static var help: String {
        var text = """
            imapd: an IMAP4rev2 server

            imapd [--storage memory] [options]      for yourself: no root, mail in memory, on this machine only
            sudo imapd --fork --tls [options]       for a mail host: system users, their ~/Maildir, ports 143 and 993

            Options, most of which are settings of imapd.conf(5) too:

            """
        for setting in Setting.all {
            let short = setting.short.map { "-\($0), " } ?? "    "
            text += "  \(short)--\(setting.name)\(setting.value.map { " " + $0 } ?? "")\n"
            text += wrapped(setting.help, indent: 10)
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

extension Setting {
    /// For --help.
    fileprivate var help: String {
        let plain = String(documentation.filter { $0 != "`" })
        return standard.isEmpty || traits.contains(.commandLineOnly) && value == nil ? plain : plain + " Default: \(standard)."
    }
}
