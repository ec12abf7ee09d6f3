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

    /// Where is noted when app passwords were last used.
    public var passwordUseDirectory: String { passwordUse ?? Self.defaultPasswordUse }
}
