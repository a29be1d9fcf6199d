@testable import ReferenceNAT

/// Why the reference does not let a frame pass the first question; nil where it does. ARP is no packet.
func firstRefusal(_ bytes: [UInt8], wireLength: Int, isEthernet: Bool) -> String? {
  switch decode(bytes, wireLength: wireLength, ethernet: isEthernet) {
  case .ipv4: nil
  case .arp: "ARP"
  case .drop(let reason): reason.rawValue
  }
}
