import Testing

@testable import Authentication

@Suite("SCRAM-SHA-256")
struct SCRAMTests {
    static var password: Secret { Secret(Array("pencil".utf8)) }
    static let salt = Base64.decode(Array("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))!
    static let verifier = SCRAMVerifier(password: password, salt: salt, iterations: 4096)
    static let nonce = Array("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".utf8)
    static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    static let clientFinal = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

    static func opening(_ text: String, isPlus: Bool = false, offersPlus: Bool = false) -> SCRAMOpening? {
        SCRAMOpening(Array(text.utf8), isPlus: isPlus, offersPlus: offersPlus)
    }

    @Test("is that of RFC 7677 §3")
    func example() throws {
        let opening = try #require(Self.opening(Self.clientFirst))
        #expect(opening.user == "user")
        let challenge = SCRAM.challenge(to: opening, Self.verifier, nonce: Self.nonce)
        #expect(String(decoding: challenge, as: UTF8.self)
            == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        let last = SCRAM.serverFinal(
            opening, challenge: challenge, clientFinal: Array(Self.clientFinal.utf8), binding: [], Self.verifier)
        #expect(last.map { String(decoding: $0, as: UTF8.self) } == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    }

    @Test("lets nobody in who has changed a byte of the last message")
    func everyByte() throws {
        let opening = try #require(Self.opening(Self.clientFirst))
        let challenge = SCRAM.challenge(to: opening, Self.verifier, nonce: Self.nonce)
        let right = Array(Self.clientFinal.utf8)
        for index in right.indices {
            for change: UInt8 in [1, 0x20, 0x80] {
                var wrong = right
                wrong[index] ^= change
                #expect(SCRAM.serverFinal(opening, challenge: challenge, clientFinal: wrong, binding: [], Self.verifier) == nil)
            }
            let short = Array(right[..<index])
            #expect(SCRAM.serverFinal(opening, challenge: challenge, clientFinal: short, binding: [], Self.verifier) == nil)
        }
    }

    @Test("takes an opening that this connection may see", arguments: [
        ("n,,n=user,r=12345678", false, false, true),
        ("n,,n=user,r=12345678", false, true, true),
        ("y,,n=user,r=12345678", false, false, true),
        // Somebody has hidden SCRAM-SHA-256-PLUS from the client.
        ("y,,n=user,r=12345678", false, true, false),
        ("p=tls-exporter,,n=user,r=12345678", true, true, true),
        ("p=tls-exporter,,n=user,r=12345678", false, true, false),
        ("p=tls-exporter,,n=user,r=12345678", true, false, false),
        ("p=tls-unique,,n=user,r=12345678", true, true, false),
        ("n,,n=user,r=12345678", true, true, false),
    ])
    func channelBinding(text: String, isPlus: Bool, offersPlus: Bool, fits: Bool) {
        #expect((Self.opening(text, isPlus: isPlus, offersPlus: offersPlus) != nil) == fits)
    }

    @Test("reads names as they are meant", arguments: [
        ("n,,n=a=2Cb=3Dc,r=12345678", "a,b=c"), ("n,a=ann,n=ann,r=12345678", "ann"), ("n,a=,n=ann,r=12345678", "ann"),
        ("n,,n=änn,r=12345678,x=later", "änn"),
        ("n,a=bob,n=ann,r=12345678", nil), ("n,,n=a=2cb,r=12345678", nil), ("n,,n=a=,r=12345678", nil), ("n,,n=,r=12345678", nil),
        ("n,,m=x,n=ann,r=12345678", nil), ("n,,n=ann,r=1234567", nil), ("n,,n=ann", nil), ("n,,r=12345678,n=ann", nil),
        ("n,n=ann,r=12345678", nil), ("", nil), (",,,", nil), ("n,,n=a\u{0}b,r=12345678", nil), ("n,,n=ann,r=1234 5678", nil),
    ])
    func names(text: String, user: String?) {
        #expect(Self.opening(text)?.user == user)
    }

    @Test("takes no message beyond its length")
    func length() {
        let text = "n,,n=ann,r=" + String(repeating: "x", count: 1024 - 11)
        #expect(Self.opening(text) != nil)
        #expect(Self.opening(text + "x") == nil)
    }
}

@Suite("A SCRAM verifier")
struct SCRAMVerifierTests {
    @Test("comes back from its text")
    func text() {
        let verifier = SCRAMTests.verifier
        #expect(SCRAMVerifier(text: verifier.text) == verifier)
        #expect(verifier.text.hasPrefix("{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"))
    }

    @Test("is not made from nonsense", arguments: [
        "", "{SCRAM-SHA-256}", "{SCRAM-SHA-256}4096,,,", "{SCRAM-SHA-256}1,W22ZaJ0SNY7soEsUEjb6gQ==,AAAA,AAAA",
        "{SCRAM-SHA-256}99999999999999999999,AAAAAAAAAAA=,AAAA,AAAA", "{PLAIN}secret",
    ])
    func nonsense(text: String) {
        #expect(SCRAMVerifier(text: text) == nil)
    }

    @Test("matches its password only")
    func matches() {
        #expect(SCRAMTests.verifier.matches(SCRAMTests.password))
        #expect(!SCRAMTests.verifier.matches(Secret(Array("pencils".utf8))))
    }

    @Test("of somebody who is not there is always the same, and matches nothing")
    func decoy() {
        let decoy = SCRAMVerifier(decoyFor: "ann", key: [1, 2, 3], iterations: 5000)
        #expect(decoy == SCRAMVerifier(decoyFor: "ann", key: [1, 2, 3], iterations: 5000))
        #expect(decoy.salt != SCRAMVerifier(decoyFor: "bob", key: [1, 2, 3], iterations: 5000).salt)
        #expect(decoy.salt != SCRAMVerifier(decoyFor: "ann", key: [1, 2, 4], iterations: 5000).salt)
        #expect(decoy.iterations == 5000)
    }
}
