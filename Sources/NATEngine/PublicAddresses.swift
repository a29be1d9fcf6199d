public import NATTable
public import NATWire

/// What a public address of ours is there for.
public struct PublicRole: BitwiseCopyable, Sendable, Equatable {
  /// Its place in the pool, or -1.
  public var poolAddress: Int32
  /// All of it belongs to one inside host.
  public var isOneToOne: Bool

  @inlinable init(poolAddress: Int32, isOneToOne: Bool) {
    self.poolAddress = poolAddress
    self.isOneToOne = isOneToOne
  }
}

/// Our own public addresses: the outside interface's, the pool's and those of statics.
///
/// - Complexity: O(1), with one address or ten thousand.
@usableFromInline struct PublicAddresses: BitwiseCopyable {
  // Open addressing at no more than half load: address:32, in use:1, 1:1:1, pool address plus one.
  @usableFromInline let slots: OwnedArray<UInt64>
  @usableFromInline let mask: Int

  static func byteCount(_ addresses: Int) -> Int { slotCount(addresses) * 8 }

  private static func slotCount(_ addresses: Int) -> Int {
    var count = 4
    while count < addresses * 2 { count *= 2 }
    return count
  }

  init(memory: MappedMemory, addresses: Int) {
    let count = PublicAddresses.slotCount(addresses)
    slots = memory.array(of: UInt64.self, count: count)
    mask = count - 1
  }

  @usableFromInline static let inUse: UInt64 = 1 << 31
  @usableFromInline static let oneToOne: UInt64 = 1 << 30

  /// Adds an address, or more of what it is there for.
  func add(_ address: IPv4Address, poolAddress: Int? = nil, isOneToOne: Bool = false) {
    var slot = home(address)
    while slots[slot] & PublicAddresses.inUse != 0, UInt32(slots[slot] >> 32) != address.rawValue {
      slot = (slot + 1) & mask
    }
    var word = slots[slot] | UInt64(address.rawValue) << 32 | PublicAddresses.inUse
    if isOneToOne { word |= PublicAddresses.oneToOne }
    if let poolAddress { word |= UInt64(poolAddress + 1) }
    slots[slot] = word
  }

  func next(from place: inout Int) -> IPv4Address? {
    while place < slots.count {
      let word = slots[place]
      place += 1
      if word & PublicAddresses.inUse != 0 { return IPv4Address(UInt32(word >> 32)) }
    }
    return nil
  }

  /// The operator chose the addresses, so nobody can aim collisions and the hash needs no key.
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
