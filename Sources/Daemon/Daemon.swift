import Glibc

/// imapd, from its command line to its exit status.
public enum Daemon {
    static let version = "0.1"

    public static func main(_ arguments: [String]) -> ExitStatus {
        Successor.notePath(arguments.first)
        let (settings, errors) = SettingsReader.read(arguments.dropFirst())
        switch settings.information {
        case .help:
            show(CommandLineParser.help, on: 1)
            return .ended
        case .version:
            show("imapd \(version)\n", on: 1)
            return .ended
        case .showConfiguration where errors.isEmpty:
            show(SettingsReader.shown(settings), on: 1)
            return .ended
        case .checkConfiguration, .showConfiguration, nil: break
        }
        do throws(StartErrors) {
            // Even if the command line is wrong: whatever else is wrong is told too.
            var errors = errors
            let inheritance = Estate.read(settings, &errors).map { Inheritance($0) }
            // Of a predecessor that is not understood nothing can be taken over, and its addresses are not free: to tell of
            // them would lead astray.
            guard settings.estate == nil || inheritance != nil else { throw StartErrors(errors: errors) }
            let preparation = try Preparation(
                settings, after: errors, reusing: inheritance?.bound ?? [], and: inheritance?.doors ?? [])
            if settings.information != nil {
                preparation.withdraw(but: inheritance?.doors ?? [])
                for warning in preparation.warnings { show("imapd: \(warning)\n", on: 2) }
                return .ended
            }
            if settings.fork {
                try runForking(preparation, succeeding: inheritance)
            } else {
                try runSingleProcess(preparation)
            }
            return .ended
        } catch {
            for error in error.errors { show("imapd: \(error.line)\n", on: 2) }
            return error.errors.first?.status ?? .system
        }
    }

    private static func show(_ text: String, on descriptor: Int32) {
        var bytes = Array(text.utf8)
        _ = bytes.withUnsafeMutableBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}
