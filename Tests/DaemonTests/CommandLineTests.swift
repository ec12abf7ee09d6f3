import Testing

@testable import Daemon

@Suite struct CommandLineTests {
    private func parse(_ line: String) -> (settings: Settings, errors: [String]) {
        let (settings, errors) = SettingsReader.read(line.split(separator: " ").map(String.init))
        return (settings, errors.map(\.line))
    }

    @Test(arguments: ["-p 143", "-p143", "--port 143", "--port=143"])
    func spellings(line: String) {
        let (settings, errors) = parse(line)
        #expect(settings.port == 143)
        #expect(errors == [])
    }

    @Test func everything() {
        let (settings, errors) = parse("""
            -h 127.0.0.1,::1 -h mail.example.org --host [2001:db8::1] -s maildir --maildir-path ~/mail --tls --cert c.pem \
            --key k.pem --fork --allow-plaintext-login --pam-confdir /tmp/pam --gate-user www --first-valid-uid 500 \
            --max-connections 7 --log syslog --log-level debug --namespace-separator / --namespace-prefix INBOX/
            """)
        #expect(errors == [])
        #expect(settings.hosts == ["127.0.0.1", "::1", "mail.example.org", "2001:db8::1"])
        #expect(settings.storage == .maildir)
        #expect(settings.maildirPath == "~/mail")
        #expect(settings.tls && settings.fork && settings.allowPlaintextLogin)
        #expect(settings.certificate == "c.pem" && settings.key == "k.pem")
        #expect(settings.pamConfdir == "/tmp/pam")
        #expect(settings.gateUser == "www")
        #expect(settings.firstValidUID == 500)
        #expect(settings.maxConnections == 7)
        #expect(settings.namespaceSeparator == .slash && settings.namespacePrefix == "INBOX/")
        #expect(settings.log == .syslog && settings.logLevel == .debug)
    }

    @Test("the usual ports, unless one is named", arguments: [
        ("--fork", [(143, false)]), ("--fork --tls", [(143, false), (993, true)]), ("-p 1143", [(1143, false)]),
        ("-p 1993 --tls", [(1993, true)]), ("-p 0 --cert a --key b", [(0, false)]),
    ] as [(String, [(UInt16, Bool)])])
    func ports(line: String, ports: [(UInt16, Bool)]) {
        let (settings, errors) = parse(line)
        #expect(errors == [])
        #expect(settings.ports.map(\.number) == ports.map(\.0))
        #expect(settings.ports.map(\.implicitTLS) == ports.map(\.1))
    }

    @Test func passwordMayHoldColons() {
        let (settings, errors) = parse("--user me:a:b")
        #expect(errors == [])
        #expect(settings.user?.name == "me" && settings.user?.password == "a:b")
    }

    @Test func switchesCanBeTurnedOff() {
        #expect(parse("--tls --tls=no").settings.tls == false)
        #expect(parse("--tls=perhaps").errors.count == 1)
    }

    @Test("every mistake is told at once")
    func allErrors() {
        let (_, errors) = parse("--prot 143 -s floppy -p 70000 extra --max-connections 0 --host")
        #expect(errors.count == 6, "\(errors)")
        #expect(errors.first?.contains("did you mean --port?") == true)
    }

    @Test("the nearest name is offered", arguments: [
        ("--prot", "port"), ("--hots", "host"), ("--certt", "cert"), ("--maildirpath", "maildir-path"),
        ("--allow-plaintext", "allow-plaintext-login"), ("--frok", "fork"), ("--completely-else", nil), ("-x", nil),
    ])
    func nearest(typed: String, meant: String?) {
        #expect(CommandLineParser.nearest(to: typed) == meant)
        let line = parse(typed).errors.first ?? ""
        #expect(line.contains(typed))
        #expect(line.contains("did you mean") == (meant != nil))
    }

    @Test("values out of range", arguments: [
        "--namespace-separator x", "--namespace-prefix INBOX", "--namespace-prefix /\u{1}/",
        "--port -1", "--port 65536", "--port 1e3", "--port 99999999999999999999", "--first-valid-uid 0",
        "--log-level loud", "--log file",
        "--user me", "--user :secret", "--user me:", "--host ,", "--port",
    ])
    func badValues(line: String) {
        #expect(parse(line).errors.count == 1, "\(parse(line).errors)")
    }

    @Test("a mistake in --user does not repeat the password")
    func secrets() {
        #expect(!parse("--user :secret").errors.joined().contains("secret"))
    }

    @Test("no two settings share a name or a letter, and all are documented")
    func table() {
        let names = Setting.all.map(\.name), letters = Setting.all.compactMap(\.short)
        #expect(Set(names).count == names.count && Set(letters).count == letters.count)
        for setting in Setting.all {
            #expect(CommandLineParser.help.contains("--\(setting.name)"))
            #expect(setting.documentation.hasSuffix("."))
        }
        for status in ExitStatus.allCases { #expect(CommandLineParser.help.contains(status.meaning)) }
    }
}
