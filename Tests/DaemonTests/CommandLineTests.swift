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
        #expect(settings.certificates == ["c.pem"] && settings.keys == ["k.pem"])
        #expect(settings.pamConfdir == "/tmp/pam")
        #expect(settings.gateUser == "www")
        #expect(settings.firstValidUID == 500)
        #expect(settings.maxConnections == 7)
        #expect(settings.namespaceSeparator == .slash && settings.namespacePrefix == "INBOX/")
        #expect(settings.log == .syslog && settings.logLevel == .debug)
    }

    @Test("the usual ports, unless others are named", arguments: [
        ("", "localhost:143"), ("--fork", "*:143"), ("--fork --tls", "*:143 *:993/tls"), ("-p 1143", "localhost:1143"),
        ("-p 1993 --tls", "localhost:1993/tls"), ("-p 0 --cert a --key b", "localhost:0"), ("-h a,b -p 1", "a:1 b:1"),
        ("--listen a", "a:143"), ("--listen 143 --listen-tls 993", "*:143 *:993/tls"),
        ("--listen-tls [::1]:1993", "::1:1993/tls"),
        ("--listen a:1 --listen b:2 --tls", "a:1 b:2"), ("--fork --listen-tls mail.example.org", "mail.example.org:993/tls"),
    ])
    func places(line: String, expected: String) {
        let (settings, errors) = parse(line)
        #expect(errors == [])
        let places = settings.places.map { "\($0.host):\($0.port)\($0.implicitTLS ? "/tls" : "")" }
        #expect(places.joined(separator: " ") == expected)
    }

    @Test("addresses", arguments: [
        ("143", "*:143"), ("*:143", "*:143"), ("*", "*"), ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:143", "192.0.2.1:143"),
        ("[::1]", "[::1]"), ("[::1]:993", "[::1]:993"), ("::1", "[::1]"), ("mail.example.org:993", "mail.example.org:993"),
        ("mail.example.org", "mail.example.org"), ("", nil), (":143", nil),
        ("a:", nil), ("a:b", nil), ("a:65536", nil), ("[::1", nil), ("[::1]993", nil), ("[]:1", nil), ("a b", nil), ("a,b", nil), ("70000", "70000"), ("[[::1]]", nil),
    ] as [(String, String?)])
    func addresses(text: String, shown: String?) {
        #expect(ListenAddress(text)?.description == shown)
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
