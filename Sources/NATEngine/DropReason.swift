public import NATWire

/// Why a packet is dropped. One case is one counter, one line in a report, one key in JSON. The cases stand in the
/// order of the steps.
///
/// Meaning and advice of each case are the rows of the page DropReasons; a test compares them, and writes the page on
/// request. A new reason touches this file, the step that drops, a test, and the page.
public enum DropReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
  // MARK: Frame and headers

  /// shorter than the Ethernet header or its VLAN tag; an empty raw IP record
  /// - Advice: check the sender or its driver
  case frameTooShort
  /// a VLAN tag with an identifier other than 0
  /// - Advice: configure the interface of that VLAN instead of the trunk
  case vlanTagged
  /// IPv6
  /// - Advice: nothing: Portico translates IPv4
  case ipv6
  /// neither IPv4, ARP nor IPv6
  /// - Advice: usually nothing: LLDP, spanning tree
  case unknownEtherType
  /// shorter than 28 bytes, or not IPv4 over Ethernet
  /// - Advice: check the sender
  case malformedARP
  /// the capture holds less than the packet had
  /// - Advice: capture with a larger snap length (`tcpdump -s 0`); live: raise `capture.snap-length`
  case captureTruncated
  /// wrong version, header length or total length; a fragment that is empty, reaches beyond 65,535 bytes,
  /// or has MF and data that is not a multiple of 8 bytes
  /// - Advice: check the sender
  case malformedIPv4
  /// wrong header checksum
  /// - Advice: look for a broken link. In a capture taken at the sender: switch checksum offload off
  case badIPv4Checksum
  /// an option length below 2 or beyond the header
  /// - Advice: check the sender
  case badIPv4Options
  /// a loose or strict source route
  /// - Advice: nothing: source routes are refused on purpose
  case sourceRoute
  /// header length below 20 or beyond the segment
  /// - Advice: check the sender
  case malformedTCP
  /// length below 8 or beyond the packet
  /// - Advice: check the sender
  case malformedUDP
  /// shorter than 8 bytes
  /// - Advice: check the sender
  case malformedICMP
  /// no flag at all, or SYN together with FIN or RST
  /// - Advice: nothing: a port scan
  case badTCPFlags
  /// TCP or UDP to port 0
  /// - Advice: nothing: a port scan
  case portZero
  /// an ICMP error with a wrong checksum
  /// - Advice: check its sender. For other ICMP messages the checksum is checked only in echo requests to
  ///   the gateway
  case badICMPChecksum
  /// a first fragment without its whole transport header (RFC 1858)
  /// - Advice: nothing: an evasion attempt, or a path with a tiny MTU
  case firstFragmentTooSmall

  // MARK: Link and addresses

  /// an IPv4 frame to another MAC address or to a group address
  /// - Advice: nothing on a shared network. If all packets end here: set `mac` of the interface to the
  ///   address that the frames were sent to
  case notForUs
  /// the source is in 0/8, 127/8 or 224/3, a network or broadcast address of a connected network, an
  /// address of the gateway, or equal to the destination
  /// - Advice: look for a duplicate address, or for forgery
  case invalidSource
  /// the destination is in 0/8, 127/8 or 224/3, or a network or broadcast address of a connected network
  /// - Advice: nothing: multicast and broadcast are not forwarded
  case invalidDestination
  /// from inside, with a source in no inside network
  /// - Advice: add the network to `routes` and `nat.inside-networks`, or look for forgery. If it is most
  ///   packets: are the cables swapped?
  case sourceNotInside
  /// from outside, with a source in an inside network
  /// - Advice: forgery (RFC 2827), or swapped cables
  case sourceInside
  /// to the inside address, and not an echo request from inside; a fragmented echo request to a public
  /// address
  /// - Advice: nothing: the gateway has no other service
  case toGateway
  /// an echo request to the gateway with a wrong ICMP checksum
  /// - Advice: check the sender
  case badEchoChecksum

  // MARK: Fragments

  /// its first fragment was refused, or fragments of its datagram overlap or contradict each other about
  /// the end. Until the datagram's timeout all its fragments are dropped
  /// - Advice: look for the reason of the first fragment. Overlaps are an evasion attempt
  case fragmentOfDeadDatagram
  /// the same fragment again
  /// - Advice: nothing
  case fragmentDuplicate
  /// waited `lifetimes.fragment` for the first fragment of its datagram
  /// - Advice: nothing: loss, or a flood of orphans
  case fragmentTimeout
  /// `fragments.datagrams` are open already
  /// - Advice: nothing in a flood; otherwise raise `fragments.datagrams` or shorten `lifetimes.fragment`
  case fragmentDatagramLimit
  /// `fragments.memory` is full of waiting fragments
  /// - Advice: nothing in a flood; otherwise raise `fragments.memory`
  case fragmentMemoryLimit

  // MARK: Binding, session, filter

  /// no binding at that public endpoint; or from outside to an address that is not ours; or the packet
  /// would leave with an address that the machine has lost
  /// - Advice: nothing: background noise of the Internet. For a service inside, write a static mapping
  case noBinding
  /// no session, and this packet may not make one: TCP without SYN, RST, or a reply without a query
  /// - Advice: nothing after a restart or a long silence. For connections with longer silence raise
  ///   `lifetimes.tcp-established`; after a restart: `tcp.loose`
  case noSession
  /// the binding is live, and its filter refuses the remote endpoint. A SYN is answered with 3/3 after six
  /// seconds (`unsolicited-syn`) unless 4,096 are pending
  /// - Advice: nothing, or a wider `filtering`: games and telephony may need `endpoint-independent`
  case filtered
  /// with `tcp.window-tracking`: a TCP segment whose sequence number cannot belong to its connection
  /// - Advice: nothing: a forgery, or a very late duplicate ([Window tracking](WindowTracking.md)). If
  ///   connections break with the setting, switch it off and report it
  case outsideWindow
  /// from inside to a public address, with `hairpin: false`
  /// - Advice: `hairpin: true`
  case hairpinDisabled
  /// neither TCP, UDP nor ICMP, and no 1:1 mapping applies
  /// - Advice: a 1:1 mapping for the host: without ports only the address tells whose the answer is
  case unknownProtocol
  /// an ICMP type that is neither query nor reply, nor an error of type 3, 11 or 12; for example source
  /// quench and redirect
  /// - Advice: nothing
  case icmpTypeNotTranslated
  /// an ICMP error in fragments
  /// - Advice: check its sender
  case fragmentedICMPError
  /// an ICMP error whose quoted packet belongs to no session, is too short, or is itself an error or a
  /// later fragment
  /// - Advice: nothing: a late error about an ended session, or forgery
  case icmpErrorUnmatched

  // MARK: Route, TTL, MTU

  /// between inside networks, one of which is isolated from the others
  /// - Advice: nothing: a host asked for what it may not reach. Public endpoints are reached by hairpin
  case isolated
  /// no route to the destination; the sender gets 3/0
  /// - Advice: set `interfaces.outside.gateway`, or add the network to `routes`
  case noRoute
  /// TTL 1 or 0; the sender gets 11/0
  /// - Advice: nothing for traceroute; otherwise look for a routing loop
  case ttlExceeded
  /// larger than the MTU on the way out, with DF; the sender gets 3/4. Without DF the packet is split and
  /// not dropped
  /// - Advice: nothing: the sender adapts
  case packetTooBig
  /// the next hop did not answer three ARP requests, one second apart; the sender gets 3/1. Never in a
  /// replay
  /// - Advice: check whether the host or router is up
  case nextHopUnreachable
  /// 16 packets already wait for that next hop, or 256 next hops are being resolved. Never in a replay
  /// - Advice: nothing during a scan of a connected network; otherwise as above
  case nextHopQueueFull

  // MARK: Limits and ports

  /// `limits.bindings` is reached, or an index is full
  /// - Advice: raise the limit; memory: [Performance](Performance.md)
  case bindingLimit
  /// `limits.sessions` is reached, or a reader holds the records of ended sessions
  /// - Advice: raise the limit
  case sessionLimit
  /// the host has `limits.per-host.ports` dynamic bindings
  /// - Advice: look at the host first, then raise the limit
  case hostPortLimit
  /// a host has `limits.per-host.sessions` sessions
  /// - Advice: look at the host first, then raise the limit
  case hostSessionLimit
  /// a host has used up its `limits.per-host.sessions-per-second`
  /// - Advice: look at the host first, then raise the limit
  case hostSessionRate
  /// no port in the pool is free for this host
  /// - Advice: add addresses to `pool`, widen `ports`, shorten `port-rest` or lifetimes; with several
  ///   addresses `pooling: arbitrary`
  case portsExhausted

  // MARK: On the way out

  /// the interface is down or has vanished
  /// - Advice: the log says when; `ip link set DEVICE up`
  case linkDown
  /// the queue of the device stayed full for about 100 µs
  /// - Advice: a slower sender, a faster link, or a longer queue (`ethtool -G`; `tc qdisc` where the device
  ///   lacks TSO)
  case transmitQueueFull
  /// longer than the MTU of the device and not to be cut, or refused by the driver
  /// - Advice: check the MTUs: `interfaces.*.mtu` must not exceed that of the device
  case transmitRefused

  /// The reason of a frame that fails to decode.
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
