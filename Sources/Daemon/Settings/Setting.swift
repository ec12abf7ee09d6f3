/// One thing that an administrator may choose, as imapd.conf(5), the command line and both manuals know it.
///
/// Texts are sentences. Settings are named in them as options are, and what is to be written as it is stands in backquotes.
struct Setting: Sendable {
    /// What is wrong with a value; follows the setting's name.
    struct BadValue: Error {
        var reason: String
    }

    /// Without "--".
    let name: String
    let short: Character?
    /// What its value is called; `nil` for a switch, which takes "yes" and "no".
    let value: String?
    /// What it is for.
    let documentation: String
    /// What the manual says beyond that.
    let details: String?
    /// What holds when it is not set: a value, or, where that depends on others, words. Empty if the documentation tells.
    let standard: String
    /// Whether `standard` is a value.
    let standardIsValue: Bool
    /// Several values can be given, each in a line of its own.
    let isList: Bool
    let traits: Traits
    /// Takes the value; a list takes it as one more.
    let set: @Sendable (inout Settings, String) throws(BadValue) -> Void

    struct Traits: OptionSet {
        let rawValue: UInt8

        /// Makes sense as an option only: it asks for something else than a server.
        static let commandLineOnly = Traits(rawValue: 1)
        /// Nobody else may read it.
        static let secret = Traits(rawValue: 2)
        /// Changes when the daemon is started, not when it reads its settings again.
        static let needsRestart = Traits(rawValue: 4)
        /// Means nothing without processes of their own.
        static let needsFork = Traits(rawValue: 8)
    }

    static func named(_ name: some StringProtocol) -> Setting? { all.first { $0.name == name } }

    // MARK: - Rows

    /// A setting that always has a value: the default is the one that `Settings` begins with.
    init<Value>(
        _ name: String, _ short: Character?, _ kind: ValueKind<Value>, _ path: WritableKeyPath<Settings, Value> & Sendable,
        _ documentation: String, details: String? = nil, default standard: String? = nil, _ traits: Traits = []
    ) {
        self.init(
            name, short, kind.valueName, documentation, details, standard ?? kind.show(Settings()[keyPath: path]), traits,
            standardIsValue: standard == nil
        ) { (settings, text) throws(BadValue) in settings[keyPath: path] = try kind.read(text) }
    }

    /// A setting that may be left open.
    init<Value>(
        _ name: String, _ short: Character?, _ kind: ValueKind<Value>, _ path: WritableKeyPath<Settings, Value?> & Sendable,
        _ documentation: String, details: String? = nil, default standard: String, isValue: Bool = false,
        _ traits: Traits = []
    ) {
        self.init(name, short, kind.valueName, documentation, details, standard, traits, standardIsValue: isValue) {
            (settings, text) throws(BadValue) in settings[keyPath: path] = try kind.read(text)
        }
    }

    /// A setting that may be repeated; with a separator, one value may be several.
    init<Value>(
        _ name: String, _ short: Character?, _ kind: ValueKind<Value>, _ path: WritableKeyPath<Settings, [Value]> & Sendable,
        separator: Character? = nil, _ documentation: String, details: String? = nil, default standard: String,
        isValue: Bool = false, _ traits: Traits = []
    ) {
        self.init(
            name, short, kind.valueName, documentation, details, standard, traits, standardIsValue: isValue, isList: true
        ) {
            (settings, text) throws(BadValue) in
            guard let separator else { return settings[keyPath: path].append(try kind.read(text)) }
            for part in text.split(separator: separator, omittingEmptySubsequences: separator == " ") {
                settings[keyPath: path].append(try kind.read(String(part.trimmingSpaces)))
            }
        }
    }

    /// A switch that asks for something else than a server.
    init(_ name: String, _ information: Settings.Information, _ documentation: String) {
        self.init(name, nil, nil, documentation, nil, "no", .commandLineOnly) { (settings, text) throws(BadValue) in
            if try ValueKind<Bool>.yesOrNo.read(text) { settings.information = information }
        }
    }

    private init(
        _ name: String, _ short: Character?, _ value: String?, _ documentation: String, _ details: String?, _ standard: String,
        _ traits: Traits, standardIsValue: Bool = false, isList: Bool = false,
        set: @escaping @Sendable (inout Settings, String) throws(BadValue) -> Void
    ) {
        self.name = name
        self.short = short
        self.value = value
        self.documentation = documentation
        self.details = details
        self.standard = standard
        self.traits = traits
        self.standardIsValue = standardIsValue
        self.isList = isList
        self.set = set
    }
}
