import NATEngine
import NATTable
import NATWire

// The packet path.
//
// A packet meets the steps in this order. Each step either passes the packet on or ends it with one ``Verdict``. The
// order is the one that packets are specified to be asked in: whatever a step refuses has not met the later ones.
//
//  decode       Packet.decode in NATWire: lengths, checksums, options, flags, port 0. It runs before the list.
//  link         Is the frame for our MAC address?
//  addresses    May these be source and destination (RFC 1812 section 5.3.7, RFC 2827)?
//  neighbour    Notes what the frame tells about the MAC address of its sender. Ends no packet.
//  own          Is it for the gateway itself, or for the machine that the gateway runs on?
//  exempt       Does it pass without translation: exempt, or between inside networks?
//  fragment     Where does a fragment belong in its datagram, and has the first one passed?
//  kernel       On an address shared with the machine's kernel: is the packet the kernel's?
//  public       May this destination be reached at all: public address, hairpin?
//  session      Binding, session, filter, window; for an ICMP error, the session of the packet that it quotes.
//  route        Where does it leave?
//  timeToLive   Does it have a hop left?
//  mtu          Does it fit, or may it be split?
//  state        Limits and ports; then bindings and sessions are made, and the packet counts on them.
//  rewrite      Addresses, ports, identifiers, TTL, MSS, checksums.
//  identify     Gives datagrams in fragments an identification of their own (RFC 6864, RFC 7857 section 10).
//
// Steps neither send nor count drops. ``Gateway/carryOut(_:_:_:)`` does both, at the end, for every verdict.
//
// Three ways lead through the list:
// - The slow path runs all of it and carries the verdict out.
// - `explain` runs all of it with an observer and carries nothing out. Steps that would make state say what they would
//   make: see ``PacketContext/isRehearsed``.
// - The fast path (``Gateway/receivePacket(_:_:at:_:)``) stands for the whole list. It takes a packet only if every
//   step would pass: for us, whole, both addresses ordinary with known facts (so neither own, exempt nor kernel
//   traffic, and the neighbours known), a live session, TTL above 1, no larger than the MTU. The packet makes nothing
//   then; it only counts.

/// A step of the packet path.
enum Step: UInt8, CaseIterable {
  case link, addresses, neighbour, own, exempt, fragment, kernel, publicAddress, session, route, timeToLive,
    mtu, state, rewrite, identify

  /// Whether the step concerns only packets that are to be translated, and are not decided on yet.
  var decidesTranslation: Bool { self >= .fragment && self <= .session }

  static func >= (a: Step, b: Step) -> Bool { a.rawValue >= b.rawValue }
  static func <= (a: Step, b: Step) -> Bool { a.rawValue <= b.rawValue }
}

/// Sees each step of a packet's path.
protocol StepObserver {
  /// - Parameter verdict: nil where the packet goes on.
  mutating func note(
    _ step: Step, _ context: PacketContext, _ verdict: Verdict?, in gateway: borrowing Gateway)
}

/// Sees nothing: the observer of the live path.
struct NoObserver: StepObserver {
  @inline(__always)
  mutating func note(
    _ step: Step, _ context: PacketContext, _ verdict: Verdict?, in gateway: borrowing Gateway
  ) {
  }
}

extension Gateway {
  /// Runs the steps from `first` on, until one ends the packet.
  @inline(__always)
  mutating func runSteps(
    _ context: inout PacketContext, from first: Step = .link, _ observer: inout some StepObserver
  ) -> Verdict {
    var next = first.rawValue
    while let step = Step(rawValue: next) {
      next &+= 1
      if step.decidesTranslation, context.isDecided { continue }
      let verdict = perform(step, &context)
      observer.note(step, context, verdict, in: self)
      if let verdict { return verdict }
    }
    return .forward
  }

  @inline(__always)
  private mutating func perform(_ step: Step, _ context: inout PacketContext) -> Verdict? {
    switch step {
    case .link: checkLink(context)
    case .addresses: checkAddresses(context)
    case .neighbour: noteNeighbour(&context)
    case .own: recogniseOwnTraffic(&context)
    case .exempt: recogniseExempt(&context)
    case .fragment: placeFragment(&context)
    case .kernel: recogniseKernelTraffic(context)
    case .publicAddress: checkPublicAddress(context)
    case .session: findSession(&context)
    case .route: findRoute(&context)
    case .timeToLive: checkTimeToLive(context)
    case .mtu: checkMTU(&context)
    case .state: makeState(&context)
    case .rewrite: rewrite(&context)
    case .identify: giveIdentification(&context)
    }
  }
}
