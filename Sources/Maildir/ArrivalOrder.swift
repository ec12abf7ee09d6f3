/// The order in which new messages get their UIDs: by key, then by the bytes of their base names.
extension [Mailbox.Arrival] {
    /// Fewer are sorted by comparing them.
    private static let many = 1000

    mutating func putInOrder(of listing: Listing) {
        if count < Self.many { return sort(from: 0, to: count, by: listing) }
        sortByDigits()
        // Where several have one key, by their names.
        var start = 0
        for at in 1...count where at == count || self[at].key != self[start].key {
            if at - start > 1 { sort(from: start, to: at, by: listing) }
            start = at
        }
    }

    private mutating func sort(from start: Int, to end: Int, by listing: Listing) {
        self[start..<end].sort { a, b in
            if a.key < b.key { return true }
            return !(b.key < a.key) && listing.isBaseOrdered(a.entry, b.entry)
        }
    }

    /// By key, byte for byte from the lowest (a radix sort): at the first look at a mailbox these are all its messages, and to
    /// compare them takes a dozen looks at each.
    private mutating func sortByDigits() {
        // Which bytes of the keys differ at all: mostly those of the time since the first message.
        let first = self[0].key.value
        let differing = reduce(0) { $0 | $1.key.value ^ first }
        var other = self
        for shift in stride(from: UInt64(0), to: 64, by: 8) where differing >> shift & 0xFF != 0 {
            withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { places in
                places.initialize(repeating: 0)
                for arrival in self { places[Int(arrival.key.value >> shift & 0xFF)] += 1 }
                var place = 0
                for digit in places.indices {
                    let number = places[digit]
                    places[digit] = place
                    place += number
                }
                for arrival in self {
                    let digit = Int(arrival.key.value >> shift & 0xFF)
                    other[places[digit]] = arrival
                    places[digit] += 1
                }
            }
            swap(&self, &other)
        }
    }
}
