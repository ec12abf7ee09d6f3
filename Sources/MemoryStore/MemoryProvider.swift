import Glibc
import IMAPTypes
import MailStore
import Synchronization

/// Accounts in memory, one for each user name, that live as long as the process.
///
/// Each begins with an INBOX of two sample messages.
public final class MemoryProvider: MailStoreProvider {
    private let separator: Character
    private let accounts = Mutex<[String: MemoryAccount]>([:])

    /// `separator`: between the levels of a mailbox name, "/" or ".".
    public init(separator: Character = "/") { self.separator = separator }

    public func openStore(user: String, home: String?) throws(StoreError) -> any MailStore {
        try account(user).openStore()
    }

    /// The account of `user`, made at first sight.
    public func account(_ user: String) throws(StoreError) -> MemoryAccount {
        try accounts.withLock { (accounts: inout [String: MemoryAccount]) throws(StoreError) in
            if let account = accounts[user] { return account }
            let account = MemoryAccount(separator: separator)
            let append = try account.openStore().beginAppend(to: .inbox)
            for (index, message) in SampleMail.messages(for: user).enumerated() {
                try append.begin(flags: FlagSet(system: index == 0 ? .seen : []), date: nil, size: UInt64(message.count))
                try append.write(message)
                try append.end()
            }
            _ = try append.commit()
            accounts[user] = account
            return account
        }
    }
}

/// What a new account in memory begins with: a plain message and one with MIME parts, for a first look with a client.
enum SampleMail {
    static func messages(for user: String) -> [[UInt8]] {
        // The name may hold anything that a client can send; in a header it must stay one atom.
        let to = user.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            && !user.isEmpty ? user : "you"
        return [welcome(to), structure(to)].map { Array($0.utf8) }
    }

    private static func welcome(_ to: String) -> String {
        """
        Date: Mon, 2 Nov 2026 09:00:00 +0000
        From: imapd <imapd@localhost>
        To: \(to)@localhost
        Subject: Welcome
        Message-ID: <welcome@localhost>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=us-ascii

        This mailbox lives in memory. It is gone when the server stops.

        """.withNetworkLineEnds
    }

    private static func structure(_ to: String) -> String {
        """
        Date: Mon, 2 Nov 2026 09:05:00 +0000
        From: imapd <imapd@localhost>
        To: \(to)@localhost
        Subject: =?UTF-8?Q?A_message_with_parts_=E2=80=93_and_a_reply?=
        Message-ID: <parts@localhost>
        In-Reply-To: <welcome@localhost>
        References: <welcome@localhost>
        MIME-Version: 1.0
        Content-Type: multipart/alternative; boundary="sample"

        --sample
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        The same twice =E2=80=93 once plain, once not.

        --sample
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: base64

        PHA+VGhlIHNhbWUgdHdpY2Ug4oCTIG9uY2UgcGxhaW4sIG9uY2Ugbm90LjwvcD4NCg==

        --sample--

        """.withNetworkLineEnds
    }
}

extension String {
    fileprivate var withNetworkLineEnds: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }
}
