import NATMemory
import NATTable
public import NATWire

/// The addresses of the machine's kernel, sorted.
///
/// Packets for them are left to the kernel, which gets every frame as well. If the gateway forwarded them, it would
/// send ARP requests for the machine's own addresses, get no answer, and report them unreachable.
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
  /// Sets the addresses of the machine's kernel. Packets to them are left to it; addresses that the gateway has too
  /// stay the gateway's.
  ///
  /// Call it between batches. A replay has no machine.
  public mutating func setMachineAddresses(_ addresses: [IPv4Address]) {
    machineAddresses = MachineAddresses(addresses)
    factsCache.invalidate()
  }
}
