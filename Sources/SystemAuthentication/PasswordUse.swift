import Glibc

/// When app passwords were last used: a file for each, `DIRECTORY/user/label`, empty, whose modification time tells.
///
/// So nothing is rewritten at a login, and two logins at once do not meet.
public struct PasswordUse: Sendable {
    public let directory: String

    public init(directory: String) { self.directory = directory }

    /// Notes that it is used now. What cannot be noted is no reason to refuse a login.
    public func note(user: String, label: String) {
        if mkdir(directory, 0o700) != 0, errno == ENOENT, let slash = directory.lastIndex(of: "/") {
            // The default one is below a directory that a package makes, or nobody has made.
            mkdir(String(directory[..<slash]), 0o755)
            mkdir(directory, 0o700)
        }
        mkdir(directory + "/" + user, 0o700)
        let file = open(path(user, label), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return }
        futimens(file, nil)
        close(file)
    }

    /// Seconds since 1970; `nil` if it was never used.
    public func last(user: String, label: String) -> Int? {
        var information = stat()
        return stat(path(user, label), &information) == 0 ? information.st_mtim.tv_sec : nil
    }

    /// A new password under an old label has not been used.
    public func forget(user: String, label: String) { unlink(path(user, label)) }

    /// Neither a user's name nor a label has a "/", or is "." or "..": see `PasswordLine`.
    private func path(_ user: String, _ label: String) -> String { "\(directory)/\(user)/\(label)" }
}
