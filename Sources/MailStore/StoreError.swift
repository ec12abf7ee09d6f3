import IMAPTypes
import SystemPackage

/// Why a store could not do what it was asked.
public enum StoreError: Error {
    case noSuchMailbox(MailboxName)
    case mailboxExists(MailboxName)
    /// The name cannot be a mailbox here: an empty level, a level too long for the file system, a reserved name.
    case invalidName(MailboxName, reason: String)
    /// The mailbox has children and no messages, so there is nothing to delete (RFC 9051 §6.3.5).
    case hasChildren(MailboxName)
    /// INBOX cannot be deleted; a mailbox cannot be moved below itself.
    case notPermitted(reason: String)
    /// Another mailbox has this use already, or the store cannot keep it.
    case specialUseTaken(SpecialUse)
    case readOnly
    /// No further keyword fits the mailbox (`KeywordSet.capacity`).
    case tooManyKeywords
    /// The message's content is gone: another program deleted its file.
    case messageGone(UID)
    case overQuota
    /// The disk is full, a lock could not be had, a file could not be read, …: for the log; the client hears
    /// that the server failed. `doing` says what was tried, with the path.
    case io(Errno, doing: String)
    /// A side file was damaged beyond repair.
    case corrupt(String)
}
