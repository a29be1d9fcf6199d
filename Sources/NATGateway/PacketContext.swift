import NATEngine
import NATTable
import NATWire

/// One packet on the slow path: how it came, and what the steps found out. See `Steps/PacketPath.swift`.
struct PacketContext: BitwiseCopyable {
  /// Rewritten in place by the step `rewrite`.
  var packet: Packet
  /// Where it came in.
  let interface: InterfaceIndex
  let link: LinkLayer
  /// Link addresses as received; 0 on a link without them.
  let sourceMAC: MACAddress
  let destinationMAC: MACAddress
  let now: Instant
  /// Its source before translation.
  let originalSource: IPv4Address
  /// The role of the destination as one of our public addresses; nil for any other address.
  let role: PublicRole?

  /// Whether `explain` runs the steps: they say what they would make, and make nothing.
  var isRehearsed = false
  /// Whether an operator described the packet: it has no real sequence number to check against a window.
  var isDescribed = false

  // What the steps find.

  /// The next hop that the frame tells the MAC address of.
  var taught: NextHop?
  var way = Way.undecided
  /// Of a fragment that is to be translated; nil where rehearsal would open it.
  var datagram: DatagramTable.Index?
  /// Whether the fragment decides for its datagram.
  var isFirstFragment = false
  /// Whether the fragment contradicts its datagram, which dies.
  var isContradiction = false
  var hop: NextHop?
  /// Larger than the MTU of the way on, and may be split.
  var mustSplit = false
  /// The original packet, if its next hop has to be resolved: an ICMP error may have to quote it.
  var quoted: Packet?
  var commitment: Commitment?
  /// What `commit` would make, if ``isRehearsed``.
  var rehearsal: Rehearsal?

  /// How the packet passes.
  enum Way: BitwiseCopyable {
    case undecided
    /// Without translation.
    case plain
    /// By bindings and sessions.
    case sessions(Resolution)
    /// An ICMP error, by the session of the packet that it quotes.
    case quote(QuotedPacket, ErrorRewrite)
    /// Another transport protocol over a 1:1 mapping, by address.
    case addresses(Rewrite)
    /// A later fragment, as the first one of its datagram did.
    case follows(DatagramPassage)
  }

  /// - Parameter packet: an IPv4 packet that was decoded from `frame`.
  init(_ packet: Packet, _ entry: FrameBatch.Entry, _ role: PublicRole?, at now: Instant) {
    self.packet = packet
    interface = entry.interface
    link = entry.link
    let isEthernet = entry.link == .ethernet
    sourceMAC = isEthernet ? entry.frame.macAddress(at: Ethernet.sourceOffset) : MACAddress(0)
    destinationMAC = isEthernet ? entry.frame.macAddress(at: Ethernet.destinationOffset) : MACAddress(0)
    self.now = now
    originalSource = packet.source
    self.role = role
  }

  /// A fragment that was held and now follows the first one of its datagram.
  init(held packet: Packet, of first: PacketContext, following passage: DatagramPassage) {
    self.packet = packet
    interface = first.interface
    link = first.link
    sourceMAC = first.sourceMAC
    destinationMAC = first.destinationMAC
    now = first.now
    originalSource = packet.source
    role = first.role
    follow(passage)
  }

  mutating func follow(_ passage: DatagramPassage) {
    way = .follows(passage)
    hop = NextHop(interface: passage.interface, address: passage.nextHop)
  }

  @inline(__always) var side: Side { interface.side }

  /// Whether it is known how the packet passes.
  @inline(__always) var isDecided: Bool {
    if case .undecided = way { return false }
    return true
  }

  /// Whether it is a fragment that takes its place in a datagram.
  var isFragmentOfDatagram: Bool {
    if isFirstFragment { return true }
    if case .follows = way { return true }
    return false
  }
}

/// How a packet ends.
enum Verdict: BitwiseCopyable {
  /// It leaves by the next hop of its context.
  case forward
  /// An echo request to the gateway.
  case answer
  /// A fragment that waits for the first one of its datagram.
  case hold
  /// The machine's kernel takes it; it gets every frame as well.
  case leaveToKernel
  case drop(DropReason, Answer = .none)

  /// The answer to the sender of a dropped packet.
  enum Answer: BitwiseCopyable {
    case none
    case error(OwnError)
    /// The ICMP error of `nat.exhaustion`: a limit or the pool refused the packet.
    case exhaustion
    /// ICMP 3/3 after six seconds (RFC 5382 REQ-4).
    case unsolicitedSYN
  }
}
