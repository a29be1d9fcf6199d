/// Every way a frame can end without being forwarded, answered or held, in the order of questions.
/// The raw value is the key in the `drops` object of the statistics.
public enum ReferenceDrop: String, CaseIterable, Sendable {
  // Lengths, checksums, options, flags, port 0.
  case frameTooShort, vlanTagged, ipv6, unknownEtherType, malformedARP, captureTruncated, malformedIPv4
  case badIPv4Checksum, badIPv4Options, sourceRoute, malformedTCP, malformedUDP, malformedICMP
  case badTCPFlags, portZero, badICMPChecksum
  // Link and addresses.
  case notForUs, invalidSource, invalidDestination, sourceNotInside, sourceInside
  // The gateway's own traffic.
  case toGateway, badEchoChecksum
  // Fragments.
  case fragmentOfDeadDatagram, fragmentDuplicate, fragmentTimeout, fragmentDatagramLimit
  case fragmentMemoryLimit, firstFragmentTooSmall, fragmentedICMPError
  // Binding, session, filter.
  case noBinding, noSession, filtered, outsideWindow, hairpinDisabled, unknownProtocol, icmpTypeNotTranslated
  case icmpErrorUnmatched
  // Route, TTL, MTU.
  case noRoute, ttlExceeded, packetTooBig
  // Limits and ports.
  case bindingLimit, sessionLimit, hostPortLimit, hostSessionLimit, hostSessionRate, portsExhausted
  // Live only; a replay never counts them.
  case neighbourUnresolved, transmitFailed
}
