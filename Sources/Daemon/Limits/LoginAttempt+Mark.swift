import Gate

extension LoginAttempt {
    /// The same for the same user and password, and for one in 65,536 others. It tells too little of a password to find it by,
    /// and nothing without this daemon's seed, which `Hasher` makes at its start.
    var mark: UInt16 {
        var hasher = Hasher()
        hasher.combine(credentials?.user)
        credentials?.password.withBytes { hasher.combine(bytes: $0) }
        return UInt16(truncatingIfNeeded: hasher.finalize())
    }
}
