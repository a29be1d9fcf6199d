import NATTable
public import NATWire

/// The addresses that the kernel of the gateway's machine has for itself, sorted.
///
/// What is for them is the kernel's, which gets every frame too. A gateway that took them for hosts would ask who has
/// them, and nobody hears that but strangers; then it would call them unreachable while they answer.
///
/// - Complexity: O(log addresses), on the slow path alone.
struct MachineAddresses: ~Copyable {
  private let memory: MappedMemory
  private let entries: OwnedArray<UInt32>

  init(_ addresses: [IPv4Address]) {
    memory = MappedMemory(byteCount: max(1, addresses.count) * MemoryLayout<UInt32>.stride)
    entries = memory.array(of: UInt32.self, count: addresses.count)
    for (index, address) in addresses.sorted().enumerated() { entries[index] = address.rawValue }
  }

  func contains(_ address: IPv4Address) -> Bool {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle] < address.rawValue { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low] == address.rawValue
  }
}

extension Gateway {
  /// Says which addresses the machine's kernel has for itself, for now: packets to them are left to it. Those of
  /// them that are the gateway's too stay the gateway's.
  ///
  /// To be called between batches; a replay has no machine.
  public mutating func setMachineAddresses(_ addresses: [IPv4Address]) {
    machineAddresses = MachineAddresses(addresses)
    factsCache.invalidate()
  }
}
