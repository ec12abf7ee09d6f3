/// Numbers by hashes of 64 bits, none of which is 0. What it costs to find one does not depend on who chose the hashes.
struct HashTable {
    private var keys: [UInt64]
    private var values: [Int32]
    private var count = 0
    private let seed = UInt64.random(in: .min ... .max)

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        keys = Array(repeating: 0, count: size)
        values = Array(repeating: 0, count: size)
    }

    private func place(of key: UInt64) -> Int {
        let product = (key ^ seed).multipliedFullWidth(by: 0x9FB2_1C65_1E98_DF25)
        var place = Int(truncatingIfNeeded: (product.high ^ product.low) & UInt64(keys.count - 1))
        while keys[place] != key, keys[place] != 0 { place = (place + 1) & (keys.count - 1) }
        return place
    }

    subscript(key: UInt64) -> Int? {
        let place = place(of: key)
        return keys[place] == 0 ? nil : Int(values[place])
    }

    /// What is there for `key`; if nothing is, `value` is put there.
    mutating func find(_ key: UInt64, or value: Int) -> Int {
        if 2 * count >= keys.count { grow() }
        let place = place(of: key)
        if keys[place] == 0 {
            keys[place] = key
            values[place] = Int32(truncatingIfNeeded: value)
            count += 1
        }
        return Int(values[place])
    }

    mutating func set(_ key: UInt64, to value: Int) {
        _ = find(key, or: value)
        values[place(of: key)] = Int32(truncatingIfNeeded: value)
    }

    private mutating func grow() {
        var larger = self
        larger.keys = Array(repeating: 0, count: 2 * keys.count)
        larger.values = Array(repeating: 0, count: 2 * keys.count)
        for (key, value) in zip(keys, values) where key != 0 {
            let place = larger.place(of: key)
            larger.keys[place] = key
            larger.values[place] = value
        }
        self = larger
    }
}
