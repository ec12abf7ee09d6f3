/// How patient we are with those who do not get in.
public struct LoginPolicy: Sendable {
    /// Failures that end the connection.
    public var attempts = 3
    /// How long the first failure is answered late; each further one takes twice as long as the one before.
    public var delay: Duration = .seconds(1)
    /// From the first byte to the login.
    public var timeLimit: Duration = .seconds(180)

    public init() {}

    /// How late to answer the failure of this number, from 1.
    public func delay(afterFailure number: Int) -> Duration {
        delay * (1 << min(max(number - 1, 0), 6))
    }
}
