import Transport

/// Which networks may connect at all.
///
/// Of the networks that an address is in, the smallest decides, whatever the order in which they were written; where one is
/// both allowed and denied, it is denied. An address in none of them is served, unless some network is allowed: whoever lists
/// those who may come means that nobody else does.
struct AccessList: Sendable, Equatable {
    private let allowed: IPNetworkSet
    private let denied: IPNetworkSet

    init(allowed: [IPNetwork] = [], denied: [IPNetwork] = []) {
        self.allowed = IPNetworkSet(allowed)
        self.denied = IPNetworkSet(denied)
    }

    func admits(_ address: IPAddress) -> Bool {
        switch (allowed.longestMatch(address), denied.longestMatch(address)) {
        case (nil, nil): allowed.isEmpty
        case (nil, _?): false
        case (_?, nil): true
        case (let allowed?, let denied?): allowed > denied
        }
    }
}
