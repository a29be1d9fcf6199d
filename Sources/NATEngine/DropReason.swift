public import NATWire

/// Every way in which a packet can end here. One case is one counter, one line in a report, one key in JSON.
///
/// The order is that of the questions that each packet is asked.
public enum DropReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  // The bytes themselves.
  case frameTooShort, vlanTagged, ipv6, unknownEtherType, malformedARP, captureTruncated
  case malformedIPv4, badIPv4Checksum, badIPv4Options, sourceRoute
  case malformedTCP, malformedUDP, malformedICMP, badTCPFlags, portZero, badICMPChecksum
  case firstFragmentTooSmall
  /// The frame was for another station.
  case notForUs
  /// An address that is never a source (RFC 1812 section 5.3.7), one of ours, or source and destination are the same.
  case invalidSource
  /// An address that is never a destination.
  case invalidDestination
  /// From inside, with a source that is not inside.
  case sourceNotInside
  /// From outside, with a source that is inside (RFC 2827).
  case sourceInside
  /// For the gateway itself, and nothing it answers.
  case toGateway
  /// An echo request to the gateway whose ICMP checksum is wrong.
  case badEchoChecksum
  /// Its datagram was refused before it, or contradicts itself.
  case fragmentOfDeadDatagram
  /// Exactly the place of an earlier fragment.
  case fragmentDuplicate
  /// It waited for the first fragment until its datagram's time was over.
  case fragmentTimeout
  case fragmentDatagramLimit, fragmentMemoryLimit
  /// Nothing is bound at that public endpoint, or the destination is none of ours.
  case noBinding
  /// There is no session, and this packet may not make one.
  case noSession
  /// The binding lives, and its filter refuses the remote endpoint.
  case filtered
  /// A TCP segment outside the window of its session, with `tcp.window-tracking`.
  case outsideWindow
  case hairpinDisabled
  /// A transport protocol that is not translated.
  case unknownProtocol
  case icmpTypeNotTranslated
  /// An ICMP error that comes in fragments: what it quotes cannot be checked.
  case fragmentedICMPError
  /// An ICMP error whose quote belongs to no session, or may not pass.
  case icmpErrorUnmatched
  case noRoute, ttlExceeded, packetTooBig
  /// The next hop does not answer.
  case nextHopUnreachable
  /// Too many packets wait for next hops to answer.
  case nextHopQueueFull
  /// `limits.bindings` is reached, or the table is full.
  case bindingLimit
  /// `limits.sessions` is reached, or the table is full.
  case sessionLimit
  case hostPortLimit, hostSessionLimit
  /// `limits.per-host.sessions-per-second` is reached.
  case hostSessionRate
  /// The pool has no free port for this host.
  case portsExhausted
  /// It was on its way: the interface is down or has vanished.
  case linkDown
  /// It was on its way: the queue of the device stayed full.
  case transmitQueueFull
  /// It was on its way: longer than the device sends, or refused by it.
  case transmitRefused

  /// The reason of a packet that failed the first question.
  @inlinable public init(_ fault: WireFault) {
    self =
      switch fault {
      case .frameTooShort: .frameTooShort
      case .vlanTagged: .vlanTagged
      case .ipv6: .ipv6
      case .unknownEtherType: .unknownEtherType
      case .malformedARP: .malformedARP
      case .captureTruncated: .captureTruncated
      case .malformedIPv4: .malformedIPv4
      case .badIPv4Checksum: .badIPv4Checksum
      case .badIPv4Options: .badIPv4Options
      case .sourceRoute: .sourceRoute
      case .malformedTCP: .malformedTCP
      case .malformedUDP: .malformedUDP
      case .malformedICMP: .malformedICMP
      case .badTCPFlags: .badTCPFlags
      case .portZero: .portZero
      case .badICMPChecksum: .badICMPChecksum
      case .firstFragmentTooSmall: .firstFragmentTooSmall
      }
  }

  /// The key in JSON and in scenarios.
  public var name: String { String(describing: self) }
}
