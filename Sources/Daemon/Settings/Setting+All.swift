extension Setting {
    /// In the order of the manual.
    static let all: [Setting] = [
        // Where clients come in.
        Setting("listen", nil, .address, \.listen,
                "An address to listen on, as `192.0.2.1`, `[2001:db8::1]`, `mail.example.org:1143`, `*:143`, or a port alone. "
                    + "The port is 143 if none is named, the host is `*`, which is all addresses. "
                    + "Connections begin without TLS; with a certificate, STARTTLS is offered.",
                default: "what --host and --port say"),
        Setting("listen-tls", nil, .address, \.listenTLS,
                "The same for TLS from the first byte; the port is 993 if none is named.",
                default: "what --host, --port and --tls say"),
        Setting("host", "h", .host, \.hosts, separator: ",",
                "A name or address to listen on, or `*` for all; several may stand in one value, with commas between them.",
                default: "all with --fork, else localhost"),
        Setting("port", "p", .number("PORT", 0...65535), \.port, "The one port to listen on; 0 lets the system choose.",
                default: "143 and, with --tls, 993"),
        Setting("tls", nil, .yesOrNo, \.tls,
                "Offer TLS. Without --port: STARTTLS on 143 and TLS from the first byte on 993; "
                    + "with --port: TLS from the first byte."),
        Setting("cert", nil, .text("FILE"), \.certificates,
                "The PEM file with the certificate and those that vouch for it. Given without --tls, STARTTLS is offered.",
                details: "With several, a client that names a host is shown the one for that host, and else the first. "
                    + "A host may have one for each kind of key.",
                default: Settings.defaultCertificate, isValue: true),
        Setting("key", nil, .text("FILE"), \.keys, "The PEM file with the certificate's private key, without a passphrase.",
                details: "With several certificates, those with their keys, in any order.",
                default: Settings.defaultKey, isValue: true),

        // Who gets in, and as whom.
        Setting("fork", nil, .yesOrNo, \.fork,
                "Serve system users, each connection in processes of its own with the least rights. Needs root.",
                [.needsRestart]),
        Setting("user", nil, .user, \.user, "Without --fork: the one user who may log in.",
                details: "As an option it can be seen by other users of the machine, in the process table, until the daemon has "
                    + "started.",
                default: "any name, with a password that is printed at start", [.secret, .needsRestart]),
        Setting("allow-plaintext-login", nil, .yesOrNo, \.allowPlaintextLogin,
                "Accept passwords without TLS. With --storage `memory` they are accepted on loopback in any case."),
        Setting("pam-service", nil, .text("NAME"), \.pamService, "The PAM service that decides who may log in."),
        Setting("pam-confdir", nil, .text("DIRECTORY"), \.pamConfdir, "Where PAM's services are configured.",
                default: "PAM's own, /etc/pam.d"),
        Setting("pam", nil, .yesOrNo, \.pam, "Ask PAM about those whom --password-file does not know."),
        Setting("pam-session", nil, .yesOrNo, \.pamSession,
                "Establish credentials and open a PAM session at each login, which ends at once: for modules that prepare an "
                    + "account, such as pam_mkhomedir.", [.needsFork]),
        Setting("password-file", nil, .text("FILE"), \.passwordFile,
                "A file with users and app passwords, with --fork.",
                details: "It is read at each login, so that a change counts at once.",
                default: "none"),
        Setting("password-use", nil, .text("DIRECTORY"), \.passwordUse,
                "Where is noted when each app password was last used.",
                default: Settings.defaultPasswordUse),
        Setting("login-domain", nil, .text("DOMAIN"), \.loginDomains, separator: ",",
                "A domain that users may write after their names, with an `@`; it is left out. `*` is any.",
                default: "none"),
        Setting("sasl", nil, .oneOf("MECHANISM"), \.mechanisms, separator: ",",
                "What AUTHENTICATE offers: `external` with --client-ca, `scram-sha-256-plus`, `scram-sha-256`, `plain` and "
                    + "`login`.",
                details: "A client takes the best one, and does not try another if that fails: so offer SCRAM only if all users "
                    + "have a password for it. Where `external` is the only one, LOGIN is refused too.",
                default: "all, but SCRAM only if all users are in --password-file with a password for it and --pam is no"),
        Setting("client-ca", nil, .text("FILE"), \.clientAuthorities,
                "A PEM file with the certificates of those who vouch for clients. With it, whoever shows such a certificate over "
                    + "TLS 1.3 may log in with AUTHENTICATE EXTERNAL, without a password.",
                details: "It may hold lists of certificates that were revoked (CRL) too; if there is one, each authority must "
                    + "have one. Nobody is turned away who has no certificate.",
                default: "none", [.needsFork]),
        Setting("certificate-name", nil, .oneOf("WHERE"), \.certificateName,
                "Where a client's certificate says who the user is: `email`, an address of mail among the subject's alternative "
                    + "names, or `cn`, the subject's common name.",
                details: "What it says is taken as LOGIN would take it, but for labels of app passwords: --login-domain holds.",
                [.needsFork]),
        Setting("gate-user", nil, .text("ACCOUNT"), \.gateUser,
                "The account of the processes that talk to strangers, with --fork.",
                default: "imapd if there is one, else nobody"),
        Setting("sandbox", nil, .oneOf("POLICY"), \.sandbox,
                "With --fork: whether filters of system calls and Landlock hold gates and sessions: `required`, `best`, as far "
                    + "as the kernel has them, or `off`.",
                default: "best", [.needsRestart]),
        Setting("first-valid-uid", nil, .number("UID", 1...(.max - 1)), \.firstValidUID,
                "Accounts with a smaller user ID cannot log in; 0 never can."),
        Setting("failure-delay", nil, .time(0...60), \.failureDelay,
                "How late a failed login is answered; each further one on the connection takes twice as long."),
        Setting("login-timeout", nil, .time(1...3600), \.loginTimeout, "Time to log in."),
        Setting("login-attempts", nil, .number("NUMBER", 1...100), \.loginAttempts, "Failed logins that end a connection."),
        Setting("login-commands", nil, .number("NUMBER", 5...100_000), \.loginCommands,
                "Commands that a client may send before it has logged in. Real ones send fewer than ten."),

        // How many, and who not.
        Setting("max-connections", nil, .number("NUMBER", 1...1_000_000), \.maxConnections, "Connections at one time."),
        Setting("spares", nil, .number("NUMBER", 0...1000), \.spares,
                "With --fork: processes that wait for connections to come, so that these need not wait.",
                details: "A connection is served by a pair of processes; two forks and what each gives up take longer than a "
                    + "greeting. A pair that waits takes some 200 KiB."),
        Setting("max-connections-per-address", nil, .number("NUMBER", 1...1_000_000), \.limits.connectionsPerAddress,
                "Connections from one address, or from one network of the size that --address-prefix-ipv4 and "
                    + "--address-prefix-ipv6 say.", [.needsFork]),
        Setting("max-connections-per-user", nil, .number("NUMBER", 1...1_000_000), \.limits.connectionsPerUser,
                "Connections of one user who has logged in.", [.needsFork]),
        Setting("replace-silent-after", nil, .time(0...604_800), \.replaceSilentAfter,
                "How long a client must have been silent for its connection to give way to another of the same user who has "
                    + "--max-connections-per-user of them: the one that has been silent for the longest is ended. With 0 none "
                    + "is, and the new connection is refused.",
                details: "A client that is there repeats IDLE within 29 minutes; one that has lost its network says nothing.",
                [.needsFork]),
        Setting("max-startups", nil, .startups, \.limits.startups,
                "Connections that have not logged in yet: from BEGIN on, RATE percent of new ones are refused by chance, and the "
                    + "more of them there are the more, until from FULL on all are.", [.needsFork]),
        Setting("max-startups-per-address", nil, .number("NUMBER", 1...1_000_000), \.limits.startupsPerAddress,
                "Connections from one address that have not logged in yet.", [.needsFork]),
        Setting("address-prefix-ipv4", nil, .number("BITS", 8...32), \.limits.prefixIPv4,
                "Addresses that share so many bits are counted as one.", [.needsFork]),
        Setting("address-prefix-ipv6", nil, .number("BITS", 16...128), \.limits.prefixIPv6,
                "The same for IPv6, where a customer has a whole network.", [.needsFork]),
        Setting("allow", nil, .network, \.allowed, separator: ",",
                "A network that may connect, such as `192.0.2.0/24` or `2001:db8::/32`; several may stand in one value, with "
                    + "commas between them.",
                details: "Of all networks here and in --deny that an address is in, the smallest decides; where one is in both, "
                    + "it is denied. An address in none of them may connect unless any network is allowed.",
                default: "none, which is everybody", [.needsFork]),
        Setting("deny", nil, .network, \.denied, separator: ",", "A network that may not connect.",
                default: "none", [.needsFork]),
        Setting("proxy-from", nil, .network, \.proxies, separator: ",",
                "A network of proxies, such as HAProxy and nginx: whoever connects from there must begin with a PROXY header, "
                    + "before TLS, and is believed. Logs, limits and penalties know the client that it names.",
                details: "Nobody else should be able to connect from there.", default: "none"),
        Setting("limit-exempt", nil, .networkOrNone, \.exempt, separator: ",",
                "A network whose addresses have neither limits nor penalties of their own, such as that of a web mail server, or "
                    + "`none`.",
                details: "Connections from there are not held to --max-connections-per-user either.",
                default: "127.0.0.0/8,::1", [.needsFork]),
        Setting("penalty-failure", nil, .seconds(0...3600), \.limits.penalties.failure,
                "What a failed login costs its address; one with the same wrong password as before costs a tenth.",
                details: "Penalties add up, and are paid back by time. Whoever owes --penalty-begin is refused until nothing is "
                    + "owed.", [.needsFork]),
        Setting("penalty-timeout", nil, .seconds(0...3600), \.limits.penalties.timeout,
                "What a connection costs on which nobody logs in before --login-timeout.", [.needsFork]),
        Setting("penalty-crash", nil, .seconds(0...86_400), \.limits.penalties.crash,
                "What a process that crashes costs: before login the address, after it the user.", [.needsFork]),
        Setting("penalty-begin", nil, .seconds(1...86_400), \.limits.penalties.begin,
                "What must be owed before anybody is refused.", [.needsFork]),
        Setting("penalty-longest", nil, .seconds(1...604_800), \.limits.penalties.longest, "The most that can be owed.",
                [.needsFork]),
        Setting("session-memory", nil, .bytes(1 << 20...1 << 40), \.sessionMemory,
                "Memory that one session may use, beside what all share. One that would need more ends, and the log says so; "
                    + "nobody else is concerned.", [.needsFork]),
        Setting("idle-timeout", nil, .time(1800...604_800), \.idleTimeout,
                "Silence after which a client is logged out; not while it waits with IDLE."),
        Setting("keepalive", nil, .time(0...32_400), \.keepalive,
                "Silence after which the system asks whether a client is still there, once a minute; after 8 minutes without an "
                    + "answer the connection is over. 0 never asks."),

        // Mail.
        Setting("storage", "s", .oneOf("STORAGE"), \.storage, "Where mail is kept: `memory` or `maildir`.",
                default: "maildir with --fork, else memory", [.needsRestart]),
        Setting("maildir-path", nil, .text("PATH"), \.maildirPath,
                "A user's Maildir: `~` at its beginning and `%h` are the home directory, `%u` is the user's name, "
                    + "`%d` what follows @ in it, `%%` a percent sign.",
                details: "The directory above it must exist, and the user must be able to write there."),
        Setting("namespace-separator", nil, .oneOf("SEPARATOR"), \.namespaceSeparator,
                "What stands between the levels of a mailbox's name: a dot or a slash.",
                details: "In the Maildir it is a dot in any case. With the slash, a dot can be part of a level's name, and is "
                    + "stored in base64.", default: "a dot"),
        Setting("namespace-prefix", nil, .namespacePrefix, \.namespacePrefix,
                "What clients have before the name of every mailbox but INBOX, as `INBOX.` with Courier; it ends in the "
                    + "separator.",
                details: "For people who come from a server where it was so: their clients find every mailbox under the name "
                    + "that they know. Names are understood without it too.", default: "none"),
        Setting("special-use", nil, .specialMailbox, \.specialMailboxes,
                "A mailbox and what it is for: `\\Sent`, `\\Drafts`, `\\Trash`, `\\Junk`, `\\Archive` and the like (RFC 6154). "
                    + "An account that has no mailbox but INBOX, as at its first login, gets it and is subscribed to it; "
                    + "where a mailbox of that name is there already, clients are told what it is for.",
                details: "What a client has said of its mailboxes counts more.", default: "none"),
        Setting("expunge-delay", nil, .time(0...31_536_000), \.expungeDelay,
                "How long expunged messages are kept on the disk, for `imapctl undelete` to bring them back. 0: not at all.",
                details: "They are in `imapd.undelete` in the directory of their mailbox, where no client and no other program "
                    + "sees them, and go when a mailbox is closed after that time. What is moved is not kept, nor is a mailbox "
                    + "that is deleted. By default what a client has expunged is gone, as its user may rely on."),
        Setting("network-poll", nil, .time(0...86_400), \.networkPoll,
                "How often a session in IDLE looks for mail that another host has delivered, if the mailbox is on a network file "
                    + "system, such as NFS or CephFS; 0: never.",
                details: "What happens on its own host a session is told at once, there too."),
        Setting("largest-message", nil, .bytes(1 << 16...1 << 40), \.largestMessage, "The largest message that APPEND takes."),

        // What clients are told.
        Setting("greeting", nil, .respText, \.greeting, "The words that a client is greeted with."),
        Setting("id", nil, .identityField, \.identity,
                "A field of the answer to ID after login, and its value: `support-url https://example.org/mail`. "
                    + "One without a value is left out, such as `version`.",
                details: "Before login only the name is told.", default: "name and version"),
        Setting("hide-capability", nil, .capability, \.hiddenCapabilities, separator: " ",
                "A capability that is not told to clients and cannot be enabled by them, for clients that fail with it; "
                    + "several may stand in one value, with spaces between them.",
                details: "Whoever uses its commands unasked is served. "
                    + "IMAP4rev1, STARTTLS and LOGINDISABLED cannot be hidden.", default: "none"),
        Setting("hide-capability-for", nil, .hiddenForUser, \.hiddenForUsers,
                "The same for one user: the name, and the capabilities.",
                details: "As it is not known before login who comes, no client is then told capabilities in the answer to its "
                    + "login; all must ask for them.", default: "none"),

        // What is told to the administrator.
        Setting("log", nil, .oneOf("TARGET"), \.log, "Where events are told: `stderr`, `syslog`, or `journal`, field by field.",
                default: "the journal if it reads the standard error stream, else that stream"),
        Setting("log-format", nil, .oneOf("FORMAT"), \.logFormat,
                "How events are told on `stderr` and to `syslog`: as `text`, or as `json`, an object a line."),
        Setting("log-level", nil, .oneOf("LEVEL"), \.logLevel,
                "The least that is told: `trace`, `debug`, `info`, `notice`, `warning`, `error` or `critical`."),
        Setting("log-facility", nil, .oneOf("FACILITY"), \.logFacility,
                "The facility in `syslog` and in the journal: `mail`, `daemon`, `auth`, `authpriv`, `user`, or `local0` to "
                    + "`local7`."),
        Setting("reverse-lookups", nil, .yesOrNo, \.reverseLookups,
                "With --fork: ask name services for the name of each client, and log it. Nobody is kept waiting by it.",
                details: "It is logged as confirmed if the name leads back to the address.", [.needsFork]),
        Setting("control-socket", nil, .pathOrNone, \.controlSocket,
                "With --fork: the socket at which root's `imapctl` asks the daemon how it is and tells it what to do, or `none`.",
                default: Settings.defaultControlSocket, isValue: true, [.needsFork, .needsRestart]),
        Setting("metrics-listen", nil, .metricsPlace, \.metricsListen,
                "With --fork: where metrics are told by HTTP, as `/metrics`, in the format of OpenMetrics or Prometheus: a port, "
                    + "which is one of localhost, HOST:PORT, or the path of a socket.",
                details: "Whoever can connect can read them. They name no users and no addresses, but tell how many log in, and "
                    + "fail to.", default: "none", [.needsFork, .needsRestart]),
        Setting("trace", nil, .text("USER"), \.traced, separator: ",",
                "A user whose sessions are written down from the login on, word by word but for passwords and literals, each in "
                    + "a file of its own, to find what goes wrong between client and server.",
                details: "The log tells the file. It ends after 64 MiB. Whose mail it is should know of it.", default: "none"),
        Setting("trace-directory", nil, .text("DIRECTORY"), \.traceDirectory,
                "Where these files are. It must exist, and nobody else should be able to read it.",
                default: Settings.defaultTraceDirectory),
        Setting("trace-literals", nil, .yesOrNo, \.traceLiterals,
                "Write literals down too, which is where messages are."),
        Setting("pid-file", nil, .text("FILE"), \.pidFile, "Where the daemon's process ID is written.", default: "none",
                [.needsRestart]),

        // Instead of a server.
        Setting("config", nil, .text("FILE"), \.configuration,
                "The file with settings; options count more than what is there. The default one need not exist.",
                default: Settings.defaultConfiguration, [.commandLineOnly]),
        Setting("succeed", nil, .number("DESCRIPTOR", 3...Int(Int32.max)), \.estate,
                "Take the place of the imapd that starts this one, with its connections, of which this open file tells. "
                    + "That is how imapd starts itself when it gives way to another version.",
                default: "none", [.commandLineOnly]),
        Setting("check-config", .checkConfiguration,
                "Tell everything that is wrong with the settings and the files that they name, and end."),
        Setting("show-config", .showConfiguration, "Show the settings in force, and where each was chosen, and end."),
        Setting("help", .help, "Show this, and end."),
        Setting("version", .version, "Show the version, and end."),
    ]
}
