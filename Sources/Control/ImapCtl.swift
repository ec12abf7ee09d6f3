import ArgumentParser

/// The administrator's tool: one file for each subcommand in Commands/.
public struct ImapCtl: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "imapctl",
        abstract: "Looks after the mailboxes that imapd serves.",
        discussion: """
            Works on a Maildir directly, with or without a running imapd beside it: it takes the same locks. Root names a \
            user, and imapctl becomes that user before it looks at anything.
            """,
        version: "imapctl 0.1",
        subcommands: [
            Check.self, Mailboxes.self, Quota.self, Search.self, DeleteExpired.self, Undelete.self, Dump.self, Rebuild.self,
            Import.self, Export.self, Password.self, Who.self, Kick.self, Limits.self, Stats.self, Reload.self, Upgrade.self,
            Stop.self,
        ])

    public init() {}
}
