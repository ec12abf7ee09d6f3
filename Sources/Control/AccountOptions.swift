import ArgumentParser
import Glibc
import MailStore
import Maildir
import Privilege

/// Whose Maildir.
struct AccountOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The user whose mail it is; needs root, and becomes that user.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("A Maildir, wherever it is. Root becomes its owner.", valueName: "directory"))
    var maildir: String?

    @Option(help: ArgumentHelp(
        "Where users have their Maildirs: as imapd's setting of this name.", valueName: "path"))
    var maildirPath = "~/Maildir"

    @Option(help: ArgumentHelp("Between the levels of a mailbox name: . or /, as imapd's setting.", valueName: "character"))
    var namespaceSeparator = "."

    func validate() throws {
        if user != nil, maildir != nil { throw ValidationError("--user and --maildir cannot go together.") }
        guard [".", "/"].contains(namespaceSeparator) else { throw ValidationError("--namespace-separator is . or /") }
    }

    var separatorCharacter: Character { namespaceSeparator == "/" ? "/" : "." }

    /// Becomes whom it must, and only then looks for the Maildir.
    func enter() throws(ControlFailure) -> Place {
        umask(0o077)
        let place: Place
        if let maildir {
            try becomeOwner(of: maildir)
            place = Place(user: nil, path: maildir, separator: separatorCharacter)
        } else {
            let account = try account()
            if geteuid() == 0, account.uid != 0 { becomeForGood(account) }
            do throws(StoreError) {
                let provider = MaildirProvider(path: maildirPath, logger: quietLogger)
                let path = try provider.expand(user: account.name, home: account.home)
                place = Place(user: account.name, path: path, separator: separatorCharacter)
            } catch {
                throw ControlFailure(error)
            }
        }
        guard access(place.path, F_OK) == 0 else {
            throw ControlFailure("there is no Maildir at \(place.path): \(String(cString: strerror(errno)))")
        }
        return place
    }

    private func account() throws(ControlFailure) -> Account {
        if let user {
            guard let account = Account(named: user) else { throw ControlFailure("there is no user \(user)") }
            guard account.uid == geteuid() || geteuid() == 0 else {
                throw ControlFailure("only root may work on the mail of another user: sudo imapctl … --user \(user)")
            }
            return account
        }
        if let account = Self.account(of: geteuid()) { return account }
        throw ControlFailure("the user with the ID \(geteuid()) has no account: name the directory with --maildir")
    }

    /// Root does not walk about in a directory that somebody else can change under its feet.
    private func becomeOwner(of directory: String) throws(ControlFailure) {
        guard geteuid() == 0 else { return }
        var status = stat()
        guard stat(directory, &status) == 0 else {
            throw ControlFailure("there is no Maildir at \(directory): \(String(cString: strerror(errno)))")
        }
        guard status.st_uid != 0 else { return }
        let uid = status.st_uid, gid = status.st_gid
        let nameless = Account(name: "\(uid)", uid: uid, gid: gid, groups: [gid], home: "/")
        becomeForGood(Self.account(of: uid) ?? nameless)
    }

    private static func account(of uid: uid_t) -> Account? {
        getpwuid(uid).flatMap { Account(named: String(cString: $0.pointee.pw_name)) }
    }
}

/// A Maildir that this process may work on, as whom it is now.
struct Place {
    /// `nil` where only the directory was named.
    let user: String?
    let path: String
    let separator: Character

    func inspect() throws(ControlFailure) -> MaildirInspection {
        do throws(StoreError) {
            return try MaildirInspection(path: path, separator: separator)
        } catch {
            throw ControlFailure(error)
        }
    }

    func open() throws(ControlFailure) -> MaildirStore {
        do throws(StoreError) {
            return try MaildirStore(path: path, separator: separator, logger: quietLogger)
        } catch {
            throw ControlFailure(error)
        }
    }
}
