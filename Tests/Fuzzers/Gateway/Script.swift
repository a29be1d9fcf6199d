import FuzzerSupport
import NATTable
import NATWire

/// Turns the bytes of an input into what happens to a gateway. What leaves is heard, so that packets meet live bindings.
struct Script {
  private var input: Input
  private let links: (inside: LinkLayer, outside: LinkLayer)
  private let floodsFar: Bool
  private var now: UInt64 = 1_700_000_000_000_000_000
  /// The latest last, no more than ``memory``.
  private var heard: [Sent] = []
  private var given: [Received] = []
  private var waiting: [Event] = []
  private var datagrams: UInt16 = 0
  private var left = 700
  /// Both cost more than frames.
  private var changesLeft = 30
  private var restorationsLeft = 6

  private static let memory = 32

  init(_ input: Input, links: (inside: LinkLayer, outside: LinkLayer), floodsFar: Bool) {
    self.input = input
    self.links = links
    self.floodsFar = floodsFar
  }

  mutating func hear(_ sent: [Sent]) {
    heard += sent.filter { PlainPacket(frame: $0.bytes) != nil }
    if heard.count > Script.memory { heard.removeFirst(heard.count - Script.memory) }
  }

  /// What happens next; nil at the end.
  mutating func next() -> Event? {
    while waiting.isEmpty {
      guard !input.isAtEnd, left > 0 else { return nil }
      step()
    }
    left -= 1
    let event = waiting.removeFirst()
    if case .frame(let frame) = event {
      given.append(frame)
      if given.count > Script.memory { given.removeFirst() }
    }
    return event
  }

  private mutating func step() {
    let byte = input.byte()
    now &+= Operation.delays[Int(byte >> 4)]
    switch Operation(byte) {
    case .raw: raw()
    case .fromInside:
      let kind = kind()
      let host = input.host()
      send(draft(kind, host, input.remote()), from: .inside)
    case .fromOutside:
      let kind = kind()
      let target = input.publicAddress()
      send(draft(kind, input.remote(), target), from: .outside)
    case .answer: answer()
    case .error: error()
    case .again: again()
    case .fragments: fragments()
    case .fragment: fragment()
    case .hairpin: hairpin()
    case .change: change()
    case .arp: arp()
    case .time:
      let isBack = input.byte() & 1 != 0
      let distance = UInt64(input.word()) * 1_000_000
      now = isBack ? now &- distance : now &+ distance
    case .flood: flood()
    case .idle:
      waiting.append(input.byte() & 1 == 0 ? .idle(nanoseconds: now) : .announce(nanoseconds: now))
    case .control: control()
    case .snapshot: snapshot()
    }
  }

  // MARK: Putting in

  private func link(_ side: Side) -> LinkLayer { side == .inside ? links.inside : links.outside }

  /// A packet as a frame for the gateway, with the MAC address of its source.
  private mutating func send(_ packet: [UInt8], from side: Side) {
    guard let whole = PlainPacket(packet, at: 0) else { return give(packet, from: side) }
    give(
      link(side) == .rawIP
        ? packet : World.gatewayMAC(side) + World.mac(whole.source) + [8, 0] + packet, from: side)
  }

  private mutating func send(_ draft: Draft, from side: Side) { send(draft.bytes, from: side) }

  private mutating func give(_ frame: [UInt8], longerBy more: Int = 0, from side: Side) {
    guard frame.count < 70_000 else { return }
    waiting.append(
      .frame(
        Received(
          bytes: frame, wireLength: frame.count + more, side: side, link: link(side), nanoseconds: now)))
  }

  // MARK: Packets

  private mutating func kind() -> Draft.Kind { input.pick(Draft.Kind.allCases) }

  private mutating func draft(_ kind: Draft.Kind, _ source: UInt32, _ destination: UInt32) -> Draft {
    let sourcePort = input.port()
    var draft = Draft(
      kind: kind, source: source, destination: destination, sourcePort: sourcePort,
      destinationPort: input.port())
    finish(&draft)
    return draft
  }

  private mutating func finish(_ draft: inout Draft) {
    draft.shape = Draft.Shape(input.byte())
    draft.payload = Draft.payload(size: input.byte())
    draft.tcpFlags = input.byte()
  }

  private mutating func raw() {
    let flags = input.byte()
    let side: Side = flags & 1 == 0 ? .inside : .outside
    var bytes = input.bytes(Int(input.word() & 0x0FFF))
    var network = link(side) == .rawIP ? 0 : 14
    if flags & 16 != 0 {
      if network > 0 { bytes = World.gatewayMAC(side) + World.mac(0xC0A8_0102) + [8, 0] + bytes }
    } else if network > 0, bytes.count > 14, word(bytes, 12) == 0x8100 {
      network = 18
    }
    if flags & 2 != 0 { mendHeader(&bytes, at: network) }
    if flags & 4 != 0 { mendTransport(&bytes, at: network) }
    give(bytes, longerBy: flags & 8 == 0 ? 0 : 40, from: side)
  }

  private mutating func pickHeard() -> (sent: Sent, packet: PlainPacket)? {
    let which = Int(input.byte())
    guard !heard.isEmpty else { return nil }
    let sent = heard[heard.count - 1 - which % heard.count]
    return PlainPacket(frame: sent.bytes).map { (sent, $0) }
  }

  /// What the receiver of a packet would send back; without payload and flags.
  private func reply(to packet: PlainPacket) -> Draft? {
    guard packet.transportLength >= 8, packet.fragmentField & 0x1FFF == 0 else { return nil }
    let first = word(packet.bytes, packet.transport)
    var draft = Draft(
      kind: .udp, source: packet.destination, destination: packet.source,
      sourcePort: word(packet.bytes, packet.transport + 2), destinationPort: first)
    switch packet.protocolNumber {
    case 6: draft.kind = .tcp
    case 17: draft.kind = .udp
    case 1:
      draft.sourcePort = word(packet.bytes, packet.transport + 4)
      switch first >> 8 {
      case 8: draft.kind = .echoReply
      case 13: draft.kind = .timestampReply
      case 14: draft.kind = .timestamp
      default: draft.kind = .echo
      }
    case 33: draft.kind = .datagramCongestion
    case 136: draft.kind = .udpLite
    default: draft.kind = .generic
    }
    return draft
  }

  private mutating func answer() {
    guard let (sent, packet) = pickHeard(), var draft = reply(to: packet) else { return }
    finish(&draft)
    if draft.kind == .tcp, draft.tcpFlags & 0xC0 == 0x40 { draft.kind = .tcpWithOptions }
    send(draft, from: sent.side)
  }

  private mutating func hairpin() {
    let host = input.host()
    guard let (_, packet) = pickHeard(), packet.transportLength >= 8 else { return }
    let kind = kind()
    let isQuery = packet.protocolNumber == 1
    let port = word(packet.bytes, packet.transport + (isQuery ? 4 : 0))
    var draft = Draft(
      kind: kind, source: host, destination: packet.source, sourcePort: isQuery ? port : 5000,
      destinationPort: port)
    finish(&draft)
    send(draft, from: .inside)
  }

  private mutating func error() {
    guard let (sent, packet) = pickHeard() else { return }
    let type = input.pick([3, 11, 12, 3, 4, 5] as [UInt8])
    let code = input.byte() & 15
    let lengths = [28, 20, 24, 27, 548, 64, 128, 40]
    let damage = input.byte()
    var quote = Array(packet.bytes[packet.start..<packet.end].prefix(lengths[Int(damage >> 5)]))
    let what = input.byte()
    if what & 1 != 0, quote.count > 12 { quote[10] ^= 1 }
    if what & 2 != 0, quote.count > 24 {
      quote[Int(damage & 31) % quote.count] ^= 0x10
      mendHeader(&quote, at: 0)
    }
    let rest: UInt32 = what & 4 != 0 ? UInt32(damage & 31) << 16 : 1400
    let source = what & 8 != 0 ? World.remotes[3] : packet.destination
    let destination = what & 16 != 0 ? World.publics[1] : packet.source
    var bytes: [UInt8] = [0x45, 0xC0] + two(UInt16(28 + quote.count)) + [0, 0, 0, 0, 64, 1, 0, 0]
    bytes += four(source) + four(destination) + [type, code, 0, 0] + four(rest) + quote
    mendHeader(&bytes, at: 0)
    mendTransport(&bytes, at: 0)
    if what & 32 != 0 { bytes[22] ^= 1 }
    send(bytes, from: what & 64 != 0 ? sent.side.other : sent.side)
  }

  private mutating func pickGiven() -> Received? {
    let which = Int(input.byte())
    return given.isEmpty ? nil : given[given.count - 1 - which % given.count]
  }

  private mutating func again() {
    guard let frame = pickGiven() else { return }
    give(frame.bytes, from: input.byte() & 1 == 0 ? frame.side : frame.side.other)
  }

  private mutating func change() {
    guard var frame = pickGiven() else { return }
    for _ in 0..<input.byte() & 7 {
      let place = Int(input.word())
      let change = input.byte()
      if !frame.bytes.isEmpty { frame.bytes[place % frame.bytes.count] ^= change }
    }
    let mending = input.byte()
    let network = frame.link == .rawIP ? 0 : 14
    if mending & 1 != 0 { mendHeader(&frame.bytes, at: network) }
    if mending & 2 != 0 { mendTransport(&frame.bytes, at: network) }
    if mending & 4 != 0 { frame.bytes += [0, 0, 0, 0, 0, 0] }
    if mending & 8 != 0, frame.bytes.count > 14, frame.link == .ethernet {
      frame.bytes.insert(contentsOf: [0x81, 0, 0, mending >> 4 & 1], at: 12)
    }
    give(frame.bytes, from: frame.side)
  }

  // MARK: Fragments

  private mutating func fragments() {
    let choice = input.byte()
    let host = input.host()
    let remote = input.remote()
    let size = Int(input.word() & 0x7FFF)
    let unit = (Int(input.byte()) + 1) * 8
    let order = input.byte()
    let trouble = input.byte()
    var draft = Draft(
      kind: [.udp, .tcp, .echo, .udpLite][Int(choice >> 1 & 3)], source: host, destination: remote,
      sourcePort: 5000, destinationPort: 53)
    var side = Side.inside
    if choice & 1 != 0, let last = heard.last, let packet = PlainPacket(frame: last.bytes),
      let reply = reply(to: packet)
    {
      draft = reply
      side = last.side
      draft.tcpFlags = 0x10
    }
    if trouble & 1 == 0 { datagrams &+= 1 }
    draft.identification = datagrams
    draft.payload = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
    var pieces = Array(Draft.fragments(of: draft.bytes, unit: unit).prefix(128))
    if trouble & 2 != 0, pieces.count > 1 { pieces.append(pieces[1]) }
    if trouble & 4 != 0, pieces.count > 1 { pieces.remove(at: Int(trouble >> 4) % pieces.count) }
    if trouble & 8 != 0, let last = pieces.last {
      var overlapping = last
      setWord(&overlapping, 6, word(last, 6) &- 1)
      mendHeader(&overlapping, at: 0)
      pieces.insert(overlapping, at: Int(trouble >> 4) % pieces.count)
    }
    switch order & 3 {
    case 1: pieces.reverse()
    case 2: pieces = Array(pieces[(pieces.count / 2)...] + pieces[..<(pieces.count / 2)])
    case 3:
      pieces =
        pieces.indices.filter { $0 % 2 == 1 }.map { pieces[$0] }
        + pieces.indices.filter { $0 % 2 == 0 }.map { pieces[$0] }
    default: break
    }
    for piece in pieces { send(piece, from: side) }
  }

  private mutating func fragment() {
    let flags = input.byte()
    let isFromInside = flags & 1 == 0
    let source = isFromInside ? input.host() : input.remote()
    let destination = isFromInside ? input.remote() : input.publicAddress()
    var draft = Draft(
      kind: kind(), source: source, destination: destination, sourcePort: 5000,
      destinationPort: input.port())
    draft.identification = UInt16(flags >> 4)
    draft.payload = [UInt8](repeating: 9, count: 40)
    let offset = (flags & 8 == 0 ? Int(input.byte()) : Int(input.word())) * 8
    let packet = draft.bytes
    let payload = Array((packet[20...] + [UInt8](repeating: 1, count: 256)).prefix(Int(input.byte())))
    send(
      Draft.fragment(of: Array(packet[..<20]), offset: offset, isLast: flags & 2 == 0, payload),
      from: isFromInside ? .inside : .outside)
  }

  // MARK: Operators

  private mutating func control() {
    let what = input.byte() & 3
    guard what == 3 else {
      let change = input.change()
      guard changesLeft > 0 else { return }
      changesLeft -= 1
      return waiting.append(.change(change, isWhole: what < 2, nanoseconds: now))
    }
    let choice = input.byte()
    let which = input.byte()
    var filter = SessionFilter()
    switch choice & 7 {
    case 0: break
    case 1: filter.transport = TransportProtocol(rawValue: which % 3)
    case 2: filter.private = .init(IPv4Network(IPv4Address(input.host()), prefixLength: 32))
    case 3:
      filter.remote = .init(
        IPv4Network(IPv4Address(input.remote()), prefixLength: 24), port: which == 0 ? nil : input.port())
    case 4: filter.public = .init(IPv4Network(IPv4Address(input.publicAddress()), prefixLength: 32))
    case 5: filter.phase = [.synSent, .established, .closed, .active][Int(which & 3)]
    default:
      let addresses = (0..<which & 3).map { _ in IPv4Address(input.remote()) }
      return waiting.append(.machineAddresses(addresses, nanoseconds: now))
    }
    waiting.append(.end(filter, nanoseconds: now))
  }

  private mutating func snapshot() {
    let flags = input.byte()
    let number = Int(flags >> 5)
    if flags & 1 != 0 {
      return waiting.append(.save(limit: [1, 2, 3, 8, 64, 2048, 7, 20][number], nanoseconds: now))
    }
    var damage: [Int] = []
    if flags & 12 != 0 {
      for _ in 0...Int(input.byte() & 7) { damage.append(Int(input.word()) << 3 | Int(input.byte() & 7)) }
    }
    guard restorationsLeft > 0 else { return }
    restorationsLeft -= 1
    let offsets: [Int64] = [0, 0, 0, 0, 1, -1_000_000_000, 3_600_000_000_000, .min]
    waiting.append(
      .restore(
        Restoration(
          isFresh: flags & 2 != 0, damage: damage, isMended: flags & 8 != 0, repeatsChoice: flags & 16 != 0,
          offset: offsets[number]), nanoseconds: now))
  }

  // MARK: The rest

  private mutating func arp() {
    let flags = input.byte()
    let side: Side = flags & 1 == 0 ? .inside : .outside
    let sender = side == .inside ? input.host() : input.remote()
    let target = side == .inside ? input.host() : input.publicAddress()
    let mac = flags & 4 == 0 ? World.mac(sender) : World.broadcast
    let operation: UInt8 = flags & 8 != 0 ? 9 : flags & 2 != 0 ? 2 : 1
    let header = World.broadcast + mac + [8, 6, 0, 1, 8, 0, 6, 4, 0, operation]
    give(header + mac + four(sender) + [0, 0, 0, 0, 0, 0] + four(target), from: side)
  }

  private mutating func flood() {
    let host = input.host()
    let remote = input.remote()
    let count = (Int(input.byte()) + 1) * (floodsFar ? 4 : 2)
    left += floodsFar ? count : 0
    for number in 0..<min(count, left) {
      send(
        Draft(
          kind: .udpWithoutChecksum, source: host, destination: remote,
          sourcePort: 10_000 + UInt16(number), destinationPort: 53),
        from: .inside)
    }
  }
}
