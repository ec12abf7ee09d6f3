/// What offences cost whoever commits them, in the manner of sshd's PerSourcePenalties. All in seconds.
///
/// Each offence adds to the time for which one is in debt, and time pays it back. Whoever owes `begin` or more is refused until
/// nothing is owed. So a stranger who goes on guessing gets one guess in `failure` seconds, and somebody who mistypes a
/// password twice notices nothing.
struct Penalties: Sendable, Equatable {
    /// A user and password that do not fit.
    var failure = 10
    /// A process that died of a signal: children share one layout of memory, so that trying again must be expensive.
    var crash = 120
    /// The time to log in has passed without a login.
    var timeout = 10
    /// What must be owed before anybody is refused.
    var begin = 60
    /// The most that can be owed.
    var longest = 900

    /// Nothing costs anything.
    static let none = Penalties(failure: 0, crash: 0, timeout: 0)

    enum Offence: Equatable {
        /// `mark` is the same for the same wrong user and password, and mostly another for others.
        case failure(mark: UInt16)
        case crash
        case timeout
    }
}
