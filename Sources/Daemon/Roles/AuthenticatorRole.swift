import Authentication
import CLinux
import Gate
import Glibc
import Privilege
import SystemAuthentication
import Transport

/// An authenticator tells its keeper that it has a question, and where it will answer: then another one is forked, and the
/// keeper can say there how it ended.
struct QuestionTaken: LineMessage {
    static let longest = 1

    var wire: [UInt8] { [0] }
    var passesDescriptor: Bool { true }

    init() {}
    init?(wire: [UInt8]) { guard wire == [0] else { return nil } }
}

/// The process that asks PAM and reads the password file: root, and gone after one question, with all that modules have read
/// and loaded. It waits for the question, which its keeper does not see.
///
/// - Parameters:
///   - questions: where monitors ask. What comes first is for whoever takes it.
///   - line: to the keeper; without it, nothing is waited for.
func runAuthenticator(_ questions: Int32, _ line: Line, _ household: Household) -> Never {
    ProcessTitle.set("spare authenticator", command: "authenticator")
    closeAll(but: [questions, line.descriptor] + household.logDescriptors)
    // PAM's modules may close all that could be open.
    limit(RLIMIT_NOFILE, soft: household.descriptorLimit, hard: .max)
    let (bytes, answer) = awaitQuestion(questions, line)
    ProcessTitle.change("authenticator")
    _ = line.say(QuestionTaken(), passing: answer)
    close(line.descriptor)
    close(questions)
    // Modules expect a process as others are: one that a signal can end.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)

    let asked = AuthenticatorQuestion.parse(bytes)
    bytes.wipe()
    guard let (question, host) = asked else { _exit(1) }
    _exit(reply(to: question, host, household.accounts.directory).send(to: answer) ? 0 : 1)
}

/// A message, and the pipe that came with it. Ends if there will be none.
private func awaitQuestion(_ questions: Int32, _ line: Line) -> (bytes: [UInt8], answer: Int32) {
    var buffer = [UInt8](repeating: 0, count: AuthenticatorQuestion.longest)
    while true {
        var polled = (
            pollfd(fd: questions, events: Int16(POLLIN), revents: 0),
            pollfd(fd: line.descriptor, events: Int16(POLLIN), revents: 0))
        let ready = withUnsafeMutableBytes(of: &polled) { poll($0.bindMemory(to: pollfd.self).baseAddress, 2, -1) }
        guard ready >= 0 || errno == EINTR else { _exit(1) }
        // The keeper has ended.
        if polled.1.revents != 0 { _exit(0) }
        guard polled.0.revents != 0 else { continue }
        var answer: Int32 = -1
        let count = clinux_receive_message(questions, &buffer, buffer.count, &answer, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { continue }
        // Nobody is left who could ask.
        guard count > 0 else { _exit(0) }
        guard count <= buffer.count, answer >= 0 else { _exit(1) }
        buffer.removeLast(buffer.count - count)
        return (buffer, answer)
    }
}

private func reply(to question: AuthenticatorQuestion, _ host: String, _ accounts: AccountDirectory) -> AuthenticatorResult {
    do throws(AccountDirectory.Refused) {
        switch question {
        case .password(let credentials):
            return .accepted(try accounts.logIn(credentials, peer: host))
        case .opening(let attempt):
            guard let opening = attempt.opening else { break }
            return .challenge(try accounts.challenge(opening))
        case .clientFinal(let clientFinal, let attempt, let challenge):
            guard let opening = attempt.opening else { break }
            return .accepted(try accounts.finish(
                opening, challenge: challenge, clientFinal: clientFinal, binding: attempt.binding ?? []))
        case .certified(let user):
            return .accepted(try accounts.logIn(certifiedAs: user, peer: host))
        }
        return .refused(.rejected, reason: "not acceptable")
    } catch {
        return .refused(error.verdict, reason: error.reason)
    }
}
