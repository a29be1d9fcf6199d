public import NATMemory
public import NATWire

/// The role of one of our public addresses.
public struct PublicRole: BitwiseCopyable, Sendable, Equatable {
  /// Its index in the pool, or -1.
  public var poolAddress: Int32
  /// Whether it belongs to one inside host by a 1:1 mapping.
  public var isOneToOne: Bool

  @inlinable init(poolAddress: Int32, isOneToOne: Bool) {
    self.poolAddress = poolAddress
    self.isOneToOne = isOneToOne
  }
}

/// Our public addresses: the outside interface's, the pool's and those of static mappings. They may change.
///
/// - Complexity: O(1), with one address or ten thousand.
@usableFromInline struct PublicAddresses: BitwiseCopyable {
  // Open addressing at no more than half load: address:32, in use:1, 1:1:1, pool address plus one.
  @usableFromInline let slots: OwnedArray<UInt64>
  /// How many port forwards, plus our interface, use each address.
  private let holders: OwnedArray<UInt32>
  @usableFromInline let mask: Int

  static func byteCounts(_ addresses: Int) -> (slots: Int, holders: Int) {
    (slotCount(addresses) * 8, slotCount(addresses) * 4)
  }

  private static func slotCount(_ addresses: Int) -> Int {
    var count = 4
    while count < addresses * 2 { count *= 2 }
    return count
  }

  /// - Parameter addresses: the most at a time.
  init(slots: MappedMemory, holders: MappedMemory, addresses: Int) {
    let count = PublicAddresses.slotCount(addresses)
    self.slots = slots.array(of: UInt64.self, count: count)
    self.holders = holders.array(of: UInt32.self, count: count)
    mask = count - 1
  }

  @usableFromInline static let inUse: UInt64 = 1 << 31
  @usableFromInline static let oneToOne: UInt64 = 1 << 30
  private static let poolBits: UInt64 = oneToOne - 1

  /// A use of an address.
  enum Use {
    /// An address of the interface, or the public endpoint of a port forward.
    case held
    case pool(place: Int)
    case oneToOne
  }

  /// Adds a use of an address.
  func add(_ address: IPv4Address, _ use: Use) {
    let slot = slot(of: address)
    var word = slots[slot] | UInt64(address.rawValue) << 32 | PublicAddresses.inUse
    switch use {
    case .held: holders[slot] += 1
    case .pool(let place): word = word & ~PublicAddresses.poolBits | UInt64(place + 1)
    case .oneToOne: word |= PublicAddresses.oneToOne
    }
    slots[slot] = word
  }

  /// Removes a use of an address, and with the last use the address.
  /// - Returns: whether the address is gone.
  @discardableResult func remove(_ address: IPv4Address, _ use: Use) -> Bool {
    var slot = slot(of: address)
    guard slots[slot] & PublicAddresses.inUse != 0 else { return false }
    switch use {
    case .held: holders[slot] -= 1
    case .pool: slots[slot] &= ~PublicAddresses.poolBits
    case .oneToOne: slots[slot] &= ~PublicAddresses.oneToOne
    }
    guard holders[slot] == 0, slots[slot] & (PublicAddresses.poolBits | PublicAddresses.oneToOne) == 0 else {
      return false
    }
    // Close the gap, so that no search ends early.
    var next = (slot + 1) & mask
    while slots[next] & PublicAddresses.inUse != 0 {
      let distance = (next - home(IPv4Address(UInt32(slots[next] >> 32)))) & mask
      if distance >= (next - slot) & mask {
        slots[slot] = slots[next]
        holders[slot] = holders[next]
        slot = next
      }
      next = (next + 1) & mask
    }
    slots[slot] = 0
    holders[slot] = 0
    return true
  }

  /// The slot of an address, or the free one that it would have.
  private func slot(of address: IPv4Address) -> Int {
    var slot = home(address)
    while slots[slot] & PublicAddresses.inUse != 0, UInt32(slots[slot] >> 32) != address.rawValue {
      slot = (slot + 1) & mask
    }
    return slot
  }

  func next(from place: inout Int) -> IPv4Address? {
    while place < slots.count {
      let word = slots[place]
      place += 1
      if word & PublicAddresses.inUse != 0 { return IPv4Address(UInt32(word >> 32)) }
    }
    return nil
  }

  /// The hash needs no key: the operator chooses the addresses, so an attacker cannot force collisions.
  @inlinable @inline(__always) func home(_ address: IPv4Address) -> Int {
    Int(truncatingIfNeeded: (UInt64(address.rawValue) &* 0x9E37_79B9_7F4A_7C15) >> 40) & mask
  }

  @inlinable @inline(__always) func role(of address: IPv4Address) -> PublicRole? {
    var slot = home(address)
    while true {
      let word = slots[slot]
      if word & PublicAddresses.inUse == 0 { return nil }
      if UInt32(truncatingIfNeeded: word >> 32) == address.rawValue {
        return PublicRole(
          poolAddress: Int32(truncatingIfNeeded: word & 0x3FFF_FFFF) &- 1,
          isOneToOne: word & PublicAddresses.oneToOne != 0)
      }
      slot = (slot &+ 1) & mask
    }
  }
}
