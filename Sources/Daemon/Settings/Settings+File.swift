/// What the file of settings says, for a program that is not the daemon.
extension Settings {
    /// Everything that is wrong with it, a line each.
    public struct Wrong: Error {
        public let lines: [String]
    }

    /// - Parameter file: `nil` is the default one, which need not exist.
    public static func read(file: String?) throws(Wrong) -> Settings {
        let (settings, errors) = SettingsReader.read(file.map { ["--config", $0] } ?? [])
        guard errors.isEmpty else { throw Wrong(lines: errors.map(\.line)) }
        return settings
    }

    /// Where the daemon that was started with this file answers imapctl; `nil` if it does not.
    ///
    /// Whatever else is wrong with the file does not matter: who asks for a reload hears of it from the daemon.
    public static func controlSocket(file: String?) -> String? {
        let path = SettingsReader.read(file.map { ["--config", $0] } ?? []).settings.controlSocket ?? defaultControlSocket
        return path == "none" ? nil : path
    }

    /// Where is noted when app passwords were last used.
    public var passwordUseDirectory: String { passwordUse ?? Self.defaultPasswordUse }
}
