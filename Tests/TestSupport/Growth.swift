import Glibc

/// How many times as much processor time `work` takes on an input 16 times as large: some 16 where time is in proportion, 256
/// where it grows with the square.
public func growth(of size: Int, _ work: (Int) throws -> Void) rethrows -> Double {
    let small = try processorTime { try work(size) }
    return try processorTime { try work(16 * size) } / max(small, 1e-6)
}

/// Between in proportion and with the square.
public let mostGrowth = 64.0

/// Seconds of this thread alone, the best of three: other tests run beside this one.
public func processorTime(_ work: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    var best = Double.infinity
    for _ in 0..<3 {
        let begin = now()
        try work()
        best = min(best, now() - begin)
    }
    return best
}
