import Glibc
import IMAPTypes
import MailStore

/// A mailbox in numbers, as an administrator wants to see it.
public struct MailboxReport: Sendable {
    public var name: MailboxName
    public var use: SpecialUse?
    public var isSubscribed = false
    /// Whose files tell the UIDs: `imapd`, `Dovecot` or `Courier`; `nil` if nobody has served it yet.
    public var server: String?
    public var messages = 0
    public var unseen = 0
    public var recent = 0
    /// Bytes with every line end as CRLF; of messages that no client has asked about yet, as they are stored.
    public var size: UInt64 = 0
    /// `nil` where imapd has not served the mailbox yet, or its files are damaged.
    public var uidValidity: UInt32?
    public var uidNext: UInt64?
    public var highestModSequence: UInt64?
    /// Bytes of log, index, their predecessors, lock and cache.
    public var sideFiles: UInt64 = 0
}

extension MailboxInspection {
    /// `progress` hears of each message that was looked at.
    public func report(progress: () -> Void) -> MailboxReport {
        var report = MailboxReport(name: name, server: isServed ? "imapd" : foreignServer?.rawValue)
        report.use = inspection.account.mailboxes[folder]?.use
        report.isSubscribed = inspection.subscriptions.contains(name)
        let table = state?.table
        for (position, entry) in listing.entries.enumerated() {
            let row = rows[position] < 0 ? nil : rows[position]
            let flags = row.flatMap { table?.flags($0) } ?? listing.withInfo(entry) { FileName.info($0).flags }
            report.messages += 1
            if !flags.contains(.seen) { report.unseen += 1 }
            if let table, let state { if row.map({ table.uid($0) > state.summary.claimed }) ?? true { report.recent += 1 } }
            if let size = row.flatMap({ table?.size($0) }) {
                report.size &+= size
            } else if let status = (entry.isNew ? new : cur)?.status(listing.location(entry).name) {
                report.size &+= UInt64(max(0, status.st_size))
            }
            progress()
        }
        if let state {
            report.uidValidity = state.uidValidity.rawValue
            report.uidNext = state.summary.uidNext
            report.highestModSequence = state.summary.modSequence
        }
        for file in Self.ownFiles { report.sideFiles &+= UInt64(max(0, root.status(file.utf8)?.st_size ?? 0)) }
        return report
    }
}
