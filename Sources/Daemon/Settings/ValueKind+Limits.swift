import Transport

extension ValueKind where Value == IPNetwork {
    static var network: Self {
        Self("NETWORK") { (text) throws(Setting.BadValue) in
            do throws(IPNetwork.Malformed) { return try IPNetwork(text) } catch {
                throw Setting.BadValue(reason: error.description)
            }
        }
    }
}

extension ValueKind where Value == IPNetwork? {
    static var networkOrNone: Self {
        Self("NETWORK", show: { $0.map { "\($0)" } ?? "none" }) { (text) throws(Setting.BadValue) in
            text == "none" ? nil : try ValueKind<IPNetwork>.network.read(text)
        }
    }
}

extension ValueKind where Value == AdmissionLimits.Startups {
    static var startups: Self {
        Self("BEGIN:RATE:FULL", show: { "\($0.begin):\($0.rate):\($0.full)" }) { (text) throws(Setting.BadValue) in
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 3, let begin = parts[0], let rate = parts[1], let full = parts[2],
                  begin >= 1, (0...100).contains(rate), (begin...1_000_000).contains(full)
            else { throw Setting.BadValue(reason: "\"\(text)\" is not BEGIN:RATE:FULL, such as 500:30:2000") }
            return AdmissionLimits.Startups(begin: begin, rate: rate, full: full)
        }
    }
}

extension ValueKind where Value == Int {
    /// A number of seconds, or of s, m, h, d.
    static func seconds(_ range: ClosedRange<Int>) -> Self {
        let time = ValueKind<Duration>.time(range)
        return Self(time.valueName, show: { time.show(.seconds($0)) }) { (text) throws(Setting.BadValue) in
            Int(try time.read(text).components.seconds)
        }
    }
}
