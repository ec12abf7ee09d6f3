import Testing

@testable import Authentication

@Suite("Base64")
struct Base64Tests {
    @Test("is that of RFC 4648 §10", arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func examples(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == Array(encoded.utf8))
        #expect(Base64.decode(Array(encoded.utf8)) == Array(plain.utf8))
    }

    @Test("takes nothing else", arguments: [
        "Z", "Zg", "Zg=", "Zg===", "=", "====", "Zg==Zg==", "Zm9v ", "Zm9v\n", "Zh==", "Zm9=", "Zm-v", "Z===", "Zm9vé",
    ])
    func malformed(text: String) {
        #expect(Base64.decode(Array(text.utf8)) == nil)
    }

    @Test("brings all bytes back")
    func roundTrip() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}

@Suite("A secret")
struct SecretTests {
    @Test("is never printed")
    func description() {
        let secret = Secret(Array("hunter2".utf8))
        let credentials = Credentials(user: Array("ann".utf8), password: secret)!
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains("hunter2"))
        }
        #expect("\(secret)" == "…")
    }

    @Test("matches itself only",
          arguments: [("a", "a", true), ("", "", true), ("a", "b", false), ("a", "ab", false), ("", "a", false)])
    func matches(first: String, second: String, same: Bool) {
        #expect(Secret(Array(first.utf8)).matches(Secret(Array(second.utf8))) == same)
    }

    @Test("is a C string too")
    func cString() {
        #expect(Secret(Array("ab".utf8)).withCString { String(cString: $0) } == "ab")
    }

    @Test("is overwritten in every array that shares it")
    func wiping() {
        let bytes = Array("hunter2".utf8)
        let shared = bytes
        bytes.wipe()
        #expect(shared == [UInt8](repeating: 0, count: 7))
    }
}

@Suite("Credentials")
struct CredentialsTests {
    @Test("are for names and passwords that an account can have", arguments: [
        ("ann", "secret", true), ("ann@example.org", "", true), ("änn", "p ä ß", true), ("", "x", false), ("a\0b", "x", false),
        ("a\nb", "x", false), ("a\u{7F}", "x", false), ("ann", "a\0b", false), ("ann", "a\r\nb", true),
    ])
    func bounds(user: String, password: String, fits: Bool) {
        #expect((Credentials(user: Array(user.utf8), password: Secret(Array(password.utf8))) != nil) == fits)
    }

    @Test("are UTF-8")
    func encoding() {
        #expect(Credentials(user: [0x61, 0xFF], password: Secret([])) == nil)
    }

    @Test("have an end")
    func length() {
        func make(_ user: Int, _ password: Int) -> Credentials? {
            Credentials(user: [UInt8](repeating: 0x61, count: user), password: Secret([UInt8](repeating: 0x61, count: password)))
        }
        #expect(make(255, 1024) != nil)
        #expect(make(256, 1) == nil)
        #expect(make(1, 1025) == nil)
    }
}

@Suite("Patience")
struct LoginPolicyTests {
    @Test("runs out: each failure is answered later than the one before")
    func delays() {
        var policy = LoginPolicy()
        policy.delay = .seconds(1)
        #expect((1...3).map { policy.delay(afterFailure: $0) } == [.seconds(1), .seconds(2), .seconds(4)])
        #expect(policy.delay(afterFailure: .max) == .seconds(64))
        policy.delay = .zero
        #expect(policy.delay(afterFailure: 3) == .zero)
    }
}

@Suite("One password")
struct StaticPasswordTests {
    @Test("for one user, or for any", arguments: [
        ("ann", "secret", "ann", true), ("ann", "secret", nil, true), ("bob", "secret", nil, true),
        ("bob", "secret", "ann", false),
        ("ann", "wrong!", "ann", false), ("ann", "", nil, false),
    ])
    func verdicts(user: String, password: String, only: String?, accepted: Bool) {
        let credentials = Credentials(user: Array(user.utf8), password: Secret(Array(password.utf8)))!
        let verdict = StaticPassword(user: only, password: "secret").authenticate(credentials, peer: "192.0.2.1")
        #expect(verdict == (accepted ? .accepted(user: user) : .rejected))
    }
}
