import FuzzerSupport
import NATEngine
import NATGateway
import NATTable
import NATWire

/// What must hold of everything that leaves, whatever came in. The engine's own checks run as well: this is a build
/// with `DEBUG`.
struct Checks {
  /// More than one while one gives way to another.
  private let settings: [GatewaySettings]
  private let publics: Set<UInt32>
  private let mtu: (inside: Int, outside: Int)

  /// - Parameter settings: what is in force; while one gives way to another, both.
  init(_ settings: [GatewaySettings]) {
    self.settings = settings
    var publics: Set<UInt32> = []
    var mtu = (inside: 0, outside: 0)
    for settings in settings {
      publics.insert(settings.outside.address.rawValue)
      for pool in settings.table.pool { publics.insert(pool.address.rawValue) }
      for mapping in settings.table.forwards { publics.insert(mapping.public.address.rawValue) }
      for mapping in settings.table.oneToOne { publics.insert(mapping.public.rawValue) }
      mtu = (max(mtu.inside, settings.inside.mtu), max(mtu.outside, settings.outside.mtu))
    }
    // What an interface without an address has.
    publics.remove(0)
    self.publics = publics
    self.mtu = mtu
  }

  private func isInside(_ address: UInt32) -> Bool {
    settings.contains { $0.insideNetworks.contains { $0.contains(IPv4Address(address)) } }
  }

  private func isOutside(_ address: UInt32) -> Bool {
    settings.contains { !$0.insideNetworks.contains { $0.contains(IPv4Address(address)) } }
  }

  private func isExempt(_ address: UInt32) -> Bool {
    settings.contains { $0.exempt.contains { $0.contains(IPv4Address(address)) } }
  }

  /// A frame by itself.
  func check(_ sent: Sent, largestReceived: Int) {
    let bytes = sent.bytes
    require(bytes.count >= 14 && Array(bytes[6..<12]) == World.gatewayMAC(sent.side), "the gateway's MAC")
    if word(bytes, 12) == 0x0806 {
      require(bytes.count == 42, "ARP of 42 bytes")
      return
    }
    guard let packet = PlainPacket(frame: bytes) else { fatalError("neither ARP nor IPv4: \(bytes)") }
    require(packet.end == bytes.count, "a trailer left")
    require(packet.hasRightHeaderChecksum, "the checksum of the IPv4 header: \(bytes)")
    require(packet.timeToLive > 0, "TTL 0 left")
    if let refusal = firstRefusal(bytes, wireLength: bytes.count, isEthernet: true) {
      // The answer to a host that sent from port 0.
      require(refusal == "portZero" && sent.side == .inside, "\(refusal) of what left: \(bytes)")
    }
    let mtu = sent.side == .inside ? mtu.inside : mtu.outside
    // A super-frame, which a device will cut, and the answer to an echo request: as long as what came. An error of
    // the gateway's own: as long as RFC 1812 section 4.3.2.3 lets it be, also where the MTU is less.
    let isOwnMessage = sent.inPlace == nil && packet.protocolNumber == 1
    let longest =
      packet.isFragment || packet.protocolNumber != 6 && !isOwnMessage
      ? mtu : max(mtu, largestReceived, isOwnMessage ? 576 : 0)
    require(packet.end - 14 <= longest, "\(packet.end - 14) bytes over an MTU of \(mtu)")
    if packet.isICMPError {
      require(packet.checksumError == 0, "the checksum of an ICMP error: \(bytes)")
    }
    if sent.side == .outside {
      require(
        publics.contains(packet.source) || isInside(packet.source) && isExempt(packet.destination),
        "\(IPv4Address(packet.source)) left outside")
      require(isOutside(packet.destination), "\(IPv4Address(packet.destination)) is not outside")
    } else {
      require(
        isInside(packet.destination)
          || settings.contains { $0.inside.network.contains(IPv4Address(packet.destination)) },
        "\(IPv4Address(packet.destination)) is not inside")
    }
  }

  /// A packet that was translated in place, with the one it was.
  func compare(_ frame: Received, with sent: Sent) {
    var network = frame.link == .ethernet ? 14 : 0
    while network > 0, [0x8100, 0x88A8].contains(word(frame.bytes, network - 2)) { network += 4 }
    guard let before = PlainPacket(frame.bytes, at: network), let after = PlainPacket(frame: sent.bytes)
    else {
      fatalError("a packet that was forwarded")
    }
    require(after.timeToLive == before.timeToLive - 1, "the TTL is one less")
    require(after.end - after.start == before.end - before.start, "the length stays")
    let fixed = [0, 1, 2, 3, 6, 7, 9] + Array(20..<before.headerLength)
    for place in fixed {
      require(after.bytes[after.start + place] == before.bytes[before.start + place], "byte \(place) stays")
    }
    if !before.isFragment {
      require(word(after.bytes, after.start + 4) == word(before.bytes, before.start + 4), "identification")
    }
    compareTransport(before, after)
  }

  private func compareTransport(_ before: PlainPacket, _ after: PlainPacket) {
    guard !before.isFragment, !before.isICMPError else { return }
    // From where nothing is rewritten: behind ports, identifiers, checksums, and the options of a SYN.
    let changed: Int
    switch before.protocolNumber {
    case 1, 17, 136: changed = 8
    case 6: changed = before.bytes[before.transport + 13] & 2 == 0 ? 20 : 60
    case 33: changed = 8
    default: changed = 0
    }
    require(
      after.bytes[after.transport..<after.end].dropFirst(changed)
        .elementsEqual(before.bytes[before.transport..<before.end].dropFirst(changed)), "the payload stays")
    if before.hasPartialChecksum {
      require(after.checksumError == 0, "a partial checksum is completed")
    } else {
      func error(_ packet: PlainPacket) -> UInt16? { packet.checksumError.map { $0 == 0xFFFF ? 0 : $0 } }
      require(
        error(after) == error(before), "a checksum is as wrong as it was: \(before.bytes), \(after.bytes)")
    }
  }
}
