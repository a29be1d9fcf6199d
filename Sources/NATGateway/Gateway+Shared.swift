import NATEngine
import NATTable
import NATWire

// An address that the machine lost: see also `Steps/Step07Kernel.swift`.
extension Gateway {
  /// Removes queued frames whose source is an address that the machine no longer has. Its bindings end in many steps,
  /// and from the first one on nothing leaves under it. Checked once per batch, not per packet.
  @inline(never) mutating func removeFramesFromLostAddress(_ outbox: inout Outbox) {
    let lost = settings.lostAddress
    let interfaces = interfaces
    var packets = 0
    outbox.removeAll { entry in
      let header = interfaces[entry.interface].layer == .ethernet ? Ethernet.headerLength : 0
      let isARP = !entry.facts.isIPv4
      let source = isARP ? ARP.senderAddressOffset : IPv4.sourceOffset
      guard entry.frame.address(at: header + source) == lost else { return false }
      if !isARP { packets += 1 }
      return true
    }
    countUnsent(packets, as: .noBinding)
  }
}
