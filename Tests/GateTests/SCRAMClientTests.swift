import Testing

@testable import Authentication

@Suite("A client's side of SCRAM-SHA-256")
struct SCRAMClientTests {
    private func client(
        binding: [UInt8]? = nil, isPlus: Bool = false, user: String = "user", password: Secret = SCRAMTests.password
    ) -> SCRAMClient {
        SCRAMClient(user: user, password: password, binding: binding, isPlus: isPlus, nonce: Array("rOprNGfwEbeRWgbNEkqO".utf8))
    }

    private static let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    private static let final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    @Test("is that of RFC 7677 §3")
    func example() throws {
        var client = client()
        #expect(String(decoding: client.opening, as: UTF8.self) == SCRAMTests.clientFirst)
        let answer = client.answer(to: Array(Self.challenge.utf8))
        #expect(answer.map { String(decoding: $0, as: UTF8.self) } == SCRAMTests.clientFinal)
        #expect(!client.isServerProven)
        let end = client.answer(to: Array(Self.final.utf8))
        #expect(end == [] && client.isServerProven)
        let more = client.answer(to: Array(Self.final.utf8))
        #expect(more == nil)
    }

    @Test("believes no server that does not know the password, and none that makes guessing cheap", arguments: [
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999", "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "", ",,,", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    ])
    func refusals(_ challenge: String) {
        var client = client()
        let answer = client.answer(to: Array(challenge.utf8))
        #expect(answer == nil && !client.isServerProven)
    }

    @Test("believes no other signature")
    func signature() throws {
        let right = Array(Self.final.utf8)
        for index in right.indices {
            var client = client()
            _ = client.answer(to: Array(Self.challenge.utf8))
            var wrong = right
            wrong[index] ^= 1
            let end = client.answer(to: wrong)
            #expect(end == nil && !client.isServerProven)
        }
    }

    @Test("agrees with the server's side, bound and not, with names and passwords of all kinds", arguments: [
        (nil, false), ([7, 8, 9], false), ([7, 8, 9], true),
    ] as [([UInt8]?, Bool)])
    func bothSides(binding: [UInt8]?, isPlus: Bool) throws {
        for (user, password) in [("ann", "x"), ("a,b=c", "pass word,="), ("änn", "I\u{AD}X"), ("u", "\u{1F511}")] {
            let secret = Secret(Array(password.utf8))
            let verifier = SCRAMVerifier(password: secret, salt: SCRAMTests.salt, iterations: 4096)
            var client = client(binding: binding, isPlus: isPlus, user: user, password: secret)
            let opening = try #require(SCRAMOpening(client.opening, isPlus: isPlus, offersPlus: isPlus))
            #expect(opening.user == user)
            let challenge = SCRAM.challenge(to: opening, verifier)
            let answer = client.answer(to: challenge)
            let last = try #require(SCRAM.serverFinal(
                opening, challenge: challenge, clientFinal: answer ?? [], binding: binding ?? [], verifier))
            let end = client.answer(to: last)
            #expect(end == [] && client.isServerProven)
        }
    }
}
