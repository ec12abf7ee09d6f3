import ArgumentParser
import Daemon
import Glibc
import MailStore
import Maildir
import Privilege
import SystemAuthentication
import SystemPackage

/// Whose Maildir.
struct AccountOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The user whose mail it is; needs root, and becomes that user.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("A Maildir, wherever it is. Root becomes its owner.", valueName: "directory"))
    var maildir: String?

    @OptionGroup var configuration: ConfigurationOptions

    @Option(help: ArgumentHelp("Where users have their Maildirs, instead of imapd's setting.", valueName: "path"))
    var maildirPath: String?

    @Option(help: ArgumentHelp(
        "Between the levels of a mailbox name: . or /, instead of imapd's setting.", valueName: "character"))
    var namespaceSeparator: String?

    func validate() throws {
        if user != nil, maildir != nil { throw ValidationError("--user and --maildir cannot go together.") }
        guard [".", "/", nil].contains(namespaceSeparator) else { throw ValidationError("--namespace-separator is . or /") }
    }

    /// Where everybody's mail is, as words of a command line.
    var places: [String] {
        [("--config", configuration.config), ("--maildir-path", maildirPath), ("--namespace-separator", namespaceSeparator)]
            .flatMap { name, value in value.map { [name, $0] } ?? [] }
    }

    /// `all` is what every user's mail is asked for with.
    func validate(all: Bool) throws {
        guard all, user != nil || maildir != nil else { return }
        throw ValidationError("--all goes without --user and --maildir.")
    }

    /// The settings of imapd, and what options say instead. `isKnown` tells whether the file could be read.
    func settings() throws(ControlFailure) -> (settings: Settings, isKnown: Bool) {
        var isKnown = true
        var settings = Settings()
        // Somebody who names the Maildir need not be able to read what only root may.
        if maildir != nil, configuration.isOutOfReach { isKnown = false } else { settings = try configuration.settings() }
        if let maildirPath { settings.maildirPath = maildirPath }
        if let namespaceSeparator { settings.namespaceSeparator = namespaceSeparator == "/" ? .slash : .dot }
        return (settings, isKnown)
    }

    /// Becomes whom it must, and only then looks for the Maildir.
    func enter() throws(ControlFailure) -> Place {
        umask(0o077)
        let (settings, isKnown) = try settings()
        let separator = Character(settings.namespaceSeparator.rawValue)
        let delay = isKnown ? settings.expungeDelay.components.seconds : nil
        let place: Place
        if let maildir {
            let opened = try becomeOwner(of: maildir)
            place = Place(user: nil, path: maildir, opened: opened, separator: separator, expungeDelay: delay)
        } else {
            let account = try account(settings)
            if geteuid() == 0, account.uid != 0 { becomeForGood(account) }
            do throws(StoreError) {
                let provider = MaildirProvider(path: settings.maildirPath, logger: quietLogger)
                let path = try provider.expand(user: account.name, home: account.home)
                place = Place(user: account.name, path: path, opened: path, separator: separator, expungeDelay: delay)
            } catch {
                throw ControlFailure(error)
            }
        }
        guard access(place.opened, F_OK) == 0 else {
            throw ControlFailure("there is no Maildir at \(place.path): \(String(cString: strerror(errno)))")
        }
        return place
    }

    private func account(_ settings: Settings) throws(ControlFailure) -> Account {
        if let user {
            guard let account = try UserList(settings).account(user) else { throw ControlFailure("there is no user \(user)") }
            guard account.uid == geteuid() || geteuid() == 0 else {
                throw ControlFailure("only root may work on the mail of another user: sudo imapctl … --user \(user)")
            }
            return account
        }
        if let account = Self.account(of: geteuid()) { return account }
        throw ControlFailure("the user with the ID \(geteuid()) has no account: name the directory with --maildir")
    }

    /// Root does not walk about in a directory that somebody else can change under its feet. Returns the path to open.
    private func becomeOwner(of directory: String) throws(ControlFailure) -> String {
        guard geteuid() == 0 else { return directory }
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            throw ControlFailure("there is no Maildir at \(directory): \(String(cString: strerror(errno)))")
        }
        // For good the one that was looked at: a link may lead elsewhere by now.
        guard status.st_uid != 0 else { return "/proc/self/fd/\(descriptor)" }
        close(descriptor)
        let uid = status.st_uid, gid = status.st_gid
        let nameless = Account(name: "\(uid)", uid: uid, gid: gid, groups: [gid], home: "/")
        becomeForGood(Self.account(of: uid) ?? nameless)
        return directory
    }

    private static func account(of uid: uid_t) -> Account? {
        getpwuid(uid).flatMap { try? Account(named: String(cString: $0.pointee.pw_name)) }
    }
}

/// Which file of settings.
struct ConfigurationOptions: ParsableArguments {
    @Option(help: ArgumentHelp("imapd's file of settings.", valueName: "file"))
    var config: String?

    /// Whether it is there, and not for us to read.
    var isOutOfReach: Bool {
        access(config ?? Settings.defaultConfiguration, R_OK) != 0 && (errno == EACCES || errno == EPERM)
    }

    func settings() throws(ControlFailure) -> Settings {
        do throws(Settings.Wrong) {
            return try Settings.read(file: config)
        } catch {
            let hint = isOutOfReach ? "; name the Maildir with --maildir" : ""
            throw ControlFailure(error.lines.joined(separator: "\nimapctl: ") + hint)
        }
    }
}

/// The users of the password file, and those of the system.
struct UserList {
    private let passwordFile: PasswordFile?

    init(_ settings: Settings) { passwordFile = settings.passwordFile.map { PasswordFile(path: $0) } }

    func account(_ name: String) throws(ControlFailure) -> Account? {
        if let passwordFile {
            do throws(PasswordFile.Unreadable) {
                if let owner = try passwordFile.entry(of: name).user?.owner { return Self.account(name, owner) }
            } catch {
                // Of the system's users it need not tell anything.
                guard geteuid() != 0 else { throw ControlFailure("\(passwordFile.path): \(error.reason)") }
            }
        }
        do throws(Errno) {
            return try Account(named: name)
        } catch {
            throw ControlFailure("name services: \(error)")
        }
    }

    /// By name, but for root, whom nobody serves. The system's users are as many as name services list.
    func all() throws(ControlFailure) -> [(name: String, home: String)] {
        var homes: [String: String] = [:]
        setpwent()
        defer { endpwent() }
        while let entry = getpwent()?.pointee {
            let name = String(cString: entry.pw_name)
            if entry.pw_uid != 0, homes[name] == nil { homes[name] = String(cString: entry.pw_dir) }
        }
        if let passwordFile {
            do throws(PasswordFile.Unreadable) {
                for line in try passwordFile.contents().lines where line.label == nil {
                    if let owner = line.owner { homes[line.user] = owner.home }
                }
            } catch {
                throw ControlFailure("\(passwordFile.path): \(error.reason)")
            }
        }
        return homes.map { (name: $0.key, home: $0.value) }.sorted { $0.name < $1.name }
    }

    private static func account(_ name: String, _ owner: PasswordLine.Owner) -> Account {
        Account(name: name, uid: owner.uid, gid: owner.gid, groups: [owner.gid], home: owner.home)
    }
}

/// A Maildir that this process may work on, as whom it is now.
struct Place {
    /// `nil` where only the directory was named.
    let user: String?
    /// As it was named.
    let path: String
    /// Leads to it, whatever becomes of the name.
    let opened: String
    let separator: Character
    /// As `MaildirStore` wants it.
    let expungeDelay: Int64?

    func inspect() throws(ControlFailure) -> MaildirInspection {
        do throws(StoreError) {
            return try MaildirInspection(path: opened, separator: separator)
        } catch {
            throw ControlFailure(error)
        }
    }

    func open() throws(ControlFailure) -> MaildirStore {
        do throws(StoreError) {
            return try MaildirStore(path: opened, separator: separator, expungeDelay: expungeDelay, logger: quietLogger)
        } catch {
            throw ControlFailure(error)
        }
    }
}
