import NATConfiguration
import NATWire
import ReferenceNAT
import TestSupport

/// Random but lifelike traffic around one gateway. Hosts open flows, answer what they got, make mistakes, and lie.
struct Conversation {
  private(set) var surroundings: Surroundings
  let features: Features
  var dice: Dice

  /// The last packets that left the gateway and can be answered, by the side on which they left.
  private var seen: [Side: [Seen]] = [.inside: [], .outside: []]
  /// The last packets that hosts sent, with their side.
  private var said: [(side: Side, draft: Draft)] = []
  private var sentInputs: [Input] = []
  /// Frames to be given soon, such as the fragments of a datagram.
  private var waiting: [(side: Side, frame: [UInt8])] = []
  private var clock: UInt64 = 1_700_000_000_000_000_000
  private var stamps: [UInt64] = []

  private static let remembered = 30

  init(_ surroundings: Surroundings, _ features: Features, _ dice: Dice) {
    self.surroundings = surroundings
    self.features = features
    self.dice = dice
  }

  /// Tells the hosts what the gateway sent.
  mutating func hear(_ frames: [ReferenceFrame]) {
    for frame in frames {
      guard let packet = Seen(frame), !packet.isFragment else { continue }
      var packets = seen[packet.side] ?? []
      packets.append(packet)
      if packets.count > Conversation.remembered { packets.removeFirst() }
      seen[packet.side] = packets
    }
  }

  /// The next frame, or now and then a reload.
  mutating func nextStep() -> Step {
    guard features.contains(.reloads), !stamps.isEmpty, dice.number(0...199) < 3 else {
      return .frame(next())
    }
    surroundings.change(features, &dice)
    return .reload(surroundings.configuration, stamp: nextStamp())
  }

  /// The next frame; its stamp is mostly, not always, later than the last one's.
  mutating func next() -> Input {
    while true {
      let (side, frame) = nextFrame()
      var input = Input(
        bytes: frame, wireLength: frame.count, side: side,
        isEthernet: side == .inside ? surroundings.isEthernet.inside : surroundings.isEthernet.outside,
        stamp: clock)
      if !input.isEthernet {
        // A capture without link layer holds IPv4 packets alone.
        guard frame.count > 14, word(frame, 12) == 0x0800 else { continue }
        input.bytes.removeFirst(14)
        input.wireLength -= 14
      }
      if dice.percent(1) {
        let cut = dice.number(0...input.bytes.count)
        if dice.percent(70) { input.wireLength = input.bytes.count }
        input.bytes.removeLast(cut)
      }
      if dice.percent(1) { input.wireLength += dice.number(1...100) }
      guard isAllowed(input) else { continue }
      input.stamp = nextStamp()
      sentInputs.append(input)
      return input
    }
  }

  // MARK: Time

  /// Mostly a little later than the last; sometimes when something falls due, or a nanosecond beside it; rarely earlier.
  private mutating func nextStamp() -> UInt64 {
    switch dice.number(0...99) {
    case 0..<20: break
    case 20..<75: clock += UInt64(dice.number(1...100_000_000))
    case 75..<88: clock += UInt64(dice.number(1...10)) * 1_000_000_000
    case 88..<97:
      let nat = surroundings.configuration.nat
      let lifetimes = nat.lifetimes
      let spans =
        [
          lifetimes.udpNanoseconds, lifetimes.tcpTransitoryNanoseconds, lifetimes.icmpNanoseconds,
          lifetimes.fragmentNanoseconds, nat.portRestNanoseconds, 6_000_000_000, 1_000_000_000,
          lifetimes.tcpEstablishedNanoseconds, lifetimes.tcpHalfClosedNanoseconds,
          lifetimes.udpNanoseconds + nat.portRestNanoseconds,
          lifetimes.tcpTransitoryNanoseconds + nat.portRestNanoseconds,
        ] + lifetimes.ports.map(\.nanoseconds)
      let since = dice.pick(stamps.isEmpty ? [clock] : stamps)
      let due = since + dice.pick(spans) + UInt64(dice.number(0...2)) - 1
      if due > clock { clock = due }
    case 97..<99: clock += UInt64(dice.number(10...400)) * 1_000_000_000
    default: return clock - UInt64(dice.number(1...5_000_000_000))
    }
    stamps.append(clock)
    if stamps.count > Conversation.remembered { stamps.removeFirst() }
    return clock
  }

  // MARK: Frames

  private mutating func nextFrame() -> (Side, [UInt8]) {
    if !waiting.isEmpty, dice.percent(70) {
      return waiting.remove(at: dice.percent(75) ? 0 : dice.number(0...waiting.count - 1))
    }
    switch dice.number(0...99) {
    case 0..<28: return speak(.inside, openFromInside())
    case 28..<50: return answer(dice.percent(70) ? .outside : .inside)
    case 50..<62: return goOn()
    case 62..<70: return speak(.outside, unsolicited())
    case 70..<74: return arp()
    case 74..<78: return toGateway()
    case 78..<82: return repeatFrame()
    case 82..<85: return speakUnusually()
    case 85..<88: return plain()
    case 88..<92: return damaged()
    case 92..<96:
      guard features.contains(.errorsInTransit) else { return speak(.inside, openFromInside()) }
      return error()
    default:
      guard features.contains(.hairpin) || features.contains(.statics) else {
        return speak(.inside, openFromInside())
      }
      return speak(.inside, openToPublic())
    }
  }

  /// Sends a packet, now and then with something unusual about it, or in fragments.
  private mutating func speak(_ side: Side, _ draft: Draft) -> (Side, [UInt8]) {
    var draft = draft
    if dice.percent(12) { decorate(&draft) }
    said.append((side, draft))
    if said.count > Conversation.remembered { said.removeFirst() }
    if features.contains(.fragments), dice.percent(8) { return inFragments(draft, side) }
    return (side, frame(draft.bytes, from: draft.source, side))
  }

  /// An Ethernet frame for the gateway, now and then odd.
  private mutating func frame(_ packet: [UInt8], from source: IPv4Address, _ side: Side) -> [UInt8] {
    let interface =
      side == .inside
      ? surroundings.configuration.interfaces.inside : surroundings.configuration.interfaces.outside
    let own: [UInt8] =
      interface.mac.map(octets) ?? [0x02, 0x50, 0, 0, 0, side == .inside ? 1 : 2]
    let stations = surroundings.insideHosts + surroundings.remoteHosts + surroundings.exemptHosts
    var target = own
    var sender = stations.first { $0.address == source }?.mac ?? [0x0A, 0, 0, 0, 0, 0x30]
    var tags: [UInt8] = []
    var trailer: [UInt8] = []
    switch dice.number(0...149) {
    case 0: target = [0x02, 0x50, 0, 0, 0, 9]
    case 1: target = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
    case 2: target = [0x01, 0, 0x5E, 0, 0, 1]
    case 3: sender[5] = dice.byte()
    case 4: sender = [0x01, 0, 0x5E, 0, 0, 2]
    case 5: tags = [0x81, 0x00, 0xE0, 0x00]
    case 6: tags = [0x88, 0xA8, 0x00, 0x00, 0x81, 0x00, 0x20, 0x00]
    case 7: tags = [0x81, 0x00, 0x00, 0x05]
    case 8...15: trailer = dice.bytes(dice.number(1...18))
    default: break
    }
    return target + sender + tags + [0x08, 0x00] + packet + trailer
  }

  // MARK: What hosts say

  private mutating func privatePort() -> UInt16 {
    dice.percent(4) ? dice.pick([0, 1, 1023, 65535]) : dice.pick([80, 1024, 2000, 2001, 40000, 40001])
  }

  private mutating func remotePort() -> UInt16 {
    dice.percent(2) ? dice.port() : dice.pick([53, 80, 443, 2000])
  }

  private mutating func data() -> [UInt8] { dice.bytes(dice.pick([0, 1, 3, 4, 20, 33])) }

  private mutating func queryType() -> UInt8 { dice.percent(75) ? 8 : dice.pick([13, 15, 17, 0, 14]) }

  private mutating func content(_ sourcePort: UInt16, _ destinationPort: UInt16) -> Draft.Content {
    if features.contains(.otherProtocols), dice.percent(4) { return otherProtocol() }
    switch dice.number(0...9) {
    case 0..<4: return .udp(sourcePort, destinationPort, data: data())
    case 4..<8:
      let flags = dice.pick(weighted: [
        (80, Flag.syn), (8, Flag.ack), (3, Flag.syn | Flag.ack), (3, Flag.rst), (3, Flag.fin | Flag.ack),
        (3, Flag.ack | Flag.push),
      ])
      return .tcp(
        sourcePort, destinationPort, flags: flags, options: flags & Flag.syn != 0 ? synOptions() : [])
    default:
      return .icmp(
        type: queryType(), rest: UInt32(sourcePort) << 16 | UInt32(dice.number(0...3)), data: data())
    }
  }

  private mutating func otherProtocol() -> Draft.Content {
    .other(dice.pick([2, 47, 50, 132, 33, 136, 0, 255]), dice.bytes(dice.number(0...40)))
  }

  private mutating func synOptions() -> [UInt8] {
    let size = dice.pick([536, 1400, 1460, 8960, 65535, 40] as [UInt16])
    return dice.pick([
      [], [2, 4] + big(size), [2, 4] + big(size), [1, 2, 4] + big(size) + [1, 1, 0],
      [3, 3, 7, 2, 4] + big(size) + [0], [2, 4] + big(size) + [2, 4, 0xFF, 0xFF],
      [5, 0, 2, 4] + big(size) + [0, 0],
      [8, 40, 2, 4], [2, 3, 0xFF, 0xFF], [1, 1, 1, 2], [0, 2, 4, 0xFF, 0xFF, 0, 0, 0],
    ])
  }

  private mutating func openFromInside() -> Draft {
    Draft(
      dice.pick(surroundings.insideHosts).address, dice.pick(surroundings.remoteHosts).address,
      content(privatePort(), remotePort()))
  }

  /// Towards a public address of ours, where possible to an endpoint that somebody has.
  private mutating func openToPublic() -> Draft {
    let host = dice.pick(surroundings.insideHosts).address
    if dice.percent(70), let packet = dice.pickOne(seen[.outside] ?? []) {
      return Draft(host, packet.source, content(privatePort(), packet.sourcePort))
    }
    return Draft(host, dice.pick(surroundings.publicAddresses), content(privatePort(), publicPort()))
  }

  private mutating func publicPort() -> UInt16 {
    let ranges = surroundings.configuration.nat.pool.flatMap(\.ports)
    let near = dice.pick([7, 80, 1024, 1025, 2000, 2001, 5000] as [UInt16])
    guard let range = dice.pickOne(ranges), dice.percent(60) else { return near }
    return UInt16(min(65535, Int(range.lowerBound) + dice.number(0...3)))
  }

  /// A host answers what it got; TCP mostly as it should.
  private mutating func answer(_ side: Side) -> (Side, [UInt8]) {
    guard let packet = dice.pickOne(seen[side] ?? []) else { return speak(.inside, openFromInside()) }
    let content: Draft.Content
    switch packet.protocolNumber {
    case 17: content = .udp(packet.destinationPort, packet.sourcePort, data: data())
    case 6:
      let isOpening = packet.tcpFlags & (Flag.syn | Flag.ack) == Flag.syn
      let flags = isOpening ? flagsAfterSYN() : flagsOfFlow()
      content = .tcp(
        packet.destinationPort, packet.sourcePort, flags: flags,
        options: flags & Flag.syn != 0 ? synOptions() : [], data: flags & Flag.push != 0 ? data() : [],
        numbers: numbers(answering: packet))
    case 1 where [8, 13, 15, 17].contains(packet.icmpType):
      content = .icmp(
        type: packet.icmpType == 8 ? 0 : packet.icmpType + 1, rest: UInt32(packet.sourcePort) << 16,
        data: data())
    case 1: content = .icmp(type: 8, rest: UInt32(packet.sourcePort) << 16, data: data())
    default: content = .other(packet.protocolNumber, dice.bytes(20))
    }
    return speak(side, Draft(packet.destination, packet.source, content))
  }

  /// Mostly where the other side expects the answer.
  private mutating func numbers(answering packet: Seen) -> Draft.Numbers {
    let isOpening = packet.tcpFlags & Flag.ack == 0
    var numbers = Draft.Numbers(
      sequence: isOpening ? dice.pick([0x2000, 0, 0xFFFF_FFF0]) : packet.tcpAcknowledgement,
      acknowledgement: packet.tcpEnd)
    if dice.percent(20) { disturb(&numbers) }
    return numbers
  }

  /// Beside the place where a segment belongs: a little, by a window, or far away.
  private mutating func disturb(_ numbers: inout Draft.Numbers) {
    let steps: [UInt32] = [
      1, 2, 20, 1000, 64239, 64240, 64241, 65534, 65535, 65536, 1 << 20, 1_073_725_440, 1 << 31,
    ]
    let step = dice.pick(steps)
    switch dice.number(0...4) {
    case 0: numbers.sequence &+= step
    case 1: numbers.sequence &-= step
    case 2: numbers.acknowledgement &+= step
    case 3: numbers.acknowledgement &-= step
    default: break
    }
    if dice.percent(50) { numbers.window = dice.pick([0, 1, 1000, 64240, 65535]) }
  }

  private mutating func flagsAfterSYN() -> UInt8 {
    dice.pick(weighted: [
      (70, Flag.syn | Flag.ack), (8, Flag.syn), (10, Flag.rst | Flag.ack), (6, Flag.ack),
      (3, Flag.fin | Flag.ack),
      (3, Flag.rst),
    ])
  }

  private mutating func flagsOfFlow() -> UInt8 {
    dice.pick(weighted: [
      (35, Flag.ack), (15, Flag.ack | Flag.push), (20, Flag.fin | Flag.ack), (8, Flag.rst),
      (3, Flag.rst | Flag.ack), (8, Flag.syn), (8, Flag.syn | Flag.ack), (2, Flag.urgent),
      (1, Flag.fin | Flag.rst), (2, Flag.fin),
    ])
  }

  /// A host says more on a flow of its own.
  private mutating func goOn() -> (Side, [UInt8]) {
    guard var (side, draft) = dice.pickOne(said) else { return speak(.inside, openFromInside()) }
    switch draft.content {
    case .udp(let sourcePort, let destinationPort, _, _):
      draft.content = .udp(sourcePort, destinationPort, data: data())
    case .tcp(let sourcePort, let destinationPort, let before, _, let sent, var numbers):
      let flags = flagsOfFlow()
      numbers.sequence &+= UInt32(sent.count) &+ UInt32((before & (Flag.syn | Flag.fin)).nonzeroBitCount)
      if dice.percent(20) { disturb(&numbers) }
      draft.content = .tcp(
        sourcePort, destinationPort, flags: flags, options: flags & Flag.syn != 0 ? synOptions() : [],
        data: flags & Flag.push != 0 ? data() : [], numbers: numbers)
    case .icmp, .other: break
    }
    if dice.percent(15), side == .inside { draft.destination = dice.pick(surroundings.remoteHosts).address }
    side = dice.percent(98) ? side : side.other
    return speak(side, draft)
  }

  /// From the outside to public endpoints, live or dead, from right and wrong remotes.
  private mutating func unsolicited() -> Draft {
    let source = dice.pick(surroundings.remoteHosts).address
    if dice.percent(75), let packet = dice.pickOne(seen[.outside] ?? []) {
      let port = dice.percent(90) ? packet.sourcePort : packet.sourcePort &+ 1
      let remote = dice.percent(60) ? packet.destinationPort : remotePort()
      let from = dice.percent(50) ? packet.destination : source
      if packet.protocolNumber == 1 {
        return Draft(from, packet.source, .icmp(type: queryType(), rest: UInt32(port) << 16))
      }
      if packet.protocolNumber == 6, dice.percent(70) {
        return Draft(from, packet.source, .tcp(remote, port, flags: Flag.syn, options: synOptions()))
      }
      return Draft(from, packet.source, content(remote, port))
    }
    let target = dice.percent(90) ? dice.pick(surroundings.publicAddresses) : IPv4Address(203, 0, 113, 4)
    return Draft(source, target, content(remotePort(), publicPort()))
  }

  private mutating func toGateway() -> (Side, [UInt8]) {
    let side = dice.pick(Side.allCases)
    let source = dice.pick(side == .inside ? surroundings.insideHosts : surroundings.remoteHosts).address
    let insideAddress = surroundings.configuration.interfaces.inside.address
    let target = dice.percent(50) ? insideAddress : dice.pick(surroundings.publicAddresses)
    var draft = Draft(source, target, content(remotePort(), privatePort()))
    if dice.percent(70) {
      draft.content = .icmp(
        type: 8, code: dice.pick([0, 0, 1]), rest: UInt32(dice.port()) << 16 | 1,
        data: dice.bytes(dice.number(0...60)))
      draft.typeOfService = dice.pick([0, 0, 0x20, 0xFF])
    }
    return speak(side, draft)
  }

  /// Between inside networks, and to and from networks that are not translated.
  private mutating func plain() -> (Side, [UInt8]) {
    let host = dice.pick(surroundings.insideHosts).address
    if let exempt = dice.pickOne(surroundings.exemptHosts), dice.percent(80) {
      if dice.percent(50) {
        return speak(.inside, Draft(host, exempt.address, content(privatePort(), remotePort())))
      }
      return speak(.outside, Draft(exempt.address, host, content(remotePort(), privatePort())))
    }
    let other =
      dice.percent(80) ? dice.pick(surroundings.insideHosts).address : IPv4Address(host.rawValue ^ 0x18)
    return speak(.inside, Draft(host, other, content(privatePort(), remotePort())))
  }

  /// Addresses that lie, or transport protocols that are not translated.
  private mutating func speakUnusually() -> (Side, [UInt8]) {
    let side = dice.pick(Side.allCases)
    let interfaces = surroundings.configuration.interfaces
    let insideNetwork = interfaces.inside.network
    let outsideNetwork = interfaces.outside.network
    let strange = [
      IPv4Address.any, .limitedBroadcast, IPv4Address(127, 0, 0, 1), IPv4Address(224, 0, 0, 1),
      IPv4Address(0, 1, 2, 3), IPv4Address(240, 0, 0, 1), insideNetwork.address, outsideNetwork.address,
      insideNetwork.broadcast ?? .any, outsideNetwork.broadcast ?? .any, interfaces.inside.address,
      interfaces.outside.address, dice.pick(surroundings.publicAddresses),
      IPv4Address(insideNetwork.address.rawValue + 6), IPv4Address(172, 20, 0, 255), IPv4Address(8, 8, 8, 8),
      dice.pick(surroundings.insideHosts).address, dice.pick(surroundings.remoteHosts).address,
    ]
    var draft = side == .inside ? openFromInside() : unsolicited()
    switch dice.number(0...4) {
    case 0, 1: draft.source = dice.pick(strange)
    case 2: draft.destination = dice.pick(strange)
    case 3: draft.destination = draft.source
    default:
      draft.content = otherProtocol()
    }
    return speak(side, draft)
  }

  // MARK: What is odd about packets

  private mutating func decorate(_ draft: inout Draft) {
    switch dice.number(0...15) {
    case 0, 1: draft.timeToLive = dice.pick([1, 1, 0, 2, 255])
    case 2: draft.doesNotFragment = true
    case 3, 4:
      draft.doesNotFragment = dice.percent(70)
      enlarge(&draft, to: dice.number(500...3000))
    case 5: enlarge(&draft, to: dice.pick([548, 556, 1252, 1472, 1480, 8972, 20000]))
    case 6: draft.options = ipv4Options()
    case 7, 8: draft.checksum = dice.pick([.wrong, .partial, .none])
    case 9: draft.checksum = .partial
    case 10: draft.typeOfService = dice.byte()
    case 11: draft.identification = dice.port()
    case 12:
      if case .udp(let sourcePort, let destinationPort, let data, _) = draft.content {
        draft.content = .udp(
          sourcePort, destinationPort, data: data,
          length: dice.pick([8 + data.count, 0, 7, 8, 8 + data.count / 2, 9 + data.count, 65535]))
      }
    case 13:
      if case .tcp(let sourcePort, let destinationPort, _, let options, let data, let numbers) = draft.content
      {
        draft.content = .tcp(
          sourcePort, destinationPort, flags: dice.byte(), options: options, data: data, numbers: numbers)
      }
    case 14: setPortZero(&draft)
    default:
      if case .icmp(_, let code, let rest, let data) = draft.content {
        draft.content = .icmp(type: dice.pick([0, 8, 10, 9, 30, 14, 18]), code: code, rest: rest, data: data)
      }
    }
  }

  private mutating func setPortZero(_ draft: inout Draft) {
    let isSource = dice.percent(50)
    switch draft.content {
    case .udp(let sourcePort, let destinationPort, let data, let length):
      draft.content = .udp(
        isSource ? 0 : sourcePort, isSource ? destinationPort : 0, data: data, length: length)
    case .tcp(let sourcePort, let destinationPort, let flags, let options, let data, let numbers):
      draft.content = .tcp(
        isSource ? 0 : sourcePort, isSource ? destinationPort : 0, flags: flags, options: options, data: data,
        numbers: numbers)
    case .icmp, .other: break
    }
  }

  private mutating func enlarge(_ draft: inout Draft, to count: Int) {
    let data = [UInt8](repeating: dice.byte(), count: count)
    switch draft.content {
    case .udp(let sourcePort, let destinationPort, _, _):
      draft.content = .udp(sourcePort, destinationPort, data: data)
    case .tcp(let sourcePort, let destinationPort, let flags, let options, _, let numbers):
      draft.content = .tcp(
        sourcePort, destinationPort, flags: flags, options: options, data: data, numbers: numbers)
    case .icmp(let type, let code, let rest, _):
      draft.content = .icmp(type: type, code: code, rest: rest, data: data)
    case .other(let number, let bytes): draft.content = .other(number, bytes + data)
    }
  }

  /// Record route, timestamp, router alert, source routes, and damage.
  private mutating func ipv4Options() -> [UInt8] {
    dice.pick([
      [7, 7, 4, 0, 0, 0, 0, 0], [68, 8, 5, 0, 0, 0, 0, 0], [148, 4, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0],
      [131, 7, 4, 1, 2, 3, 4, 0], [1, 137, 3, 4], [0, 131, 3, 4], [7, 1, 0, 0], [7, 0, 0, 0], [7, 9, 4, 0],
      [1, 1, 1, 7],
      [130, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0],
    ])
  }

  private mutating func repeatFrame() -> (Side, [UInt8]) {
    guard let input = dice.pickOne(Array(sentInputs.suffix(Conversation.remembered))), input.isEthernet else {
      return goOn()
    }
    return (input.side, input.bytes)
  }

  private mutating func damaged() -> (Side, [UInt8]) {
    var (side, frame) = dice.percent(50) ? goOn() : answer(dice.pick(Side.allCases))
    guard frame.count > 14 else { return (side, frame) }
    switch dice.number(0...3) {
    case 0: frame.removeLast(dice.number(1...frame.count))
    case 1:
      let place = dice.number(14...frame.count - 1)
      frame[place] ^= 1 << UInt8(dice.number(0...7))
    default:
      // Somewhere in the headers, with the checksum of the IPv4 header put right again.
      let place = dice.number(14...min(frame.count - 1, 54))
      frame[place] = dice.percent(50) ? frame[place] ^ 1 << UInt8(dice.number(0...7)) : dice.byte()
      let header = 14 + Int(frame[14] & 0x0F) * 4
      if header >= 34, header <= frame.count {
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(24..<26, with: big(InternetChecksum.of(frame[14..<header])))
      }
    }
    return (side, frame)
  }

  // MARK: ARP

  private mutating func arp() -> (Side, [UInt8]) {
    let side = dice.pick(Side.allCases)
    let stations = side == .inside ? surroundings.insideHosts : surroundings.remoteHosts
    var sender = dice.pick(stations)
    let interfaces = surroundings.configuration.interfaces
    let own = [
      interfaces.inside.address, interfaces.outside.address, dice.pick(surroundings.publicAddresses),
    ]
    if dice.percent(10) { sender.address = dice.pick(own + [.any]) }
    if dice.percent(15) { sender.mac = [0x0A, 0, 0, 0, 1, dice.byte()] }
    if dice.percent(5) { sender.mac[0] = 0x0B }
    let target = dice.percent(60) ? dice.pick(own) : dice.pick(stations).address
    var body: [UInt8] = [0, 1, 8, 0, 6, 4, 0, dice.pick([1, 1, 1, 2, 2, 3])]
    body += sender.mac + big(sender.address.rawValue) + [0, 0, 0, 0, 0, 0] + big(target.rawValue)
    if dice.percent(5) { body[dice.number(0...5)] ^= 1 }
    if dice.percent(5) { body.removeLast(dice.number(1...28)) }
    if dice.percent(20) { body += [UInt8](repeating: 0, count: 18) }
    let destination: [UInt8] =
      dice.percent(70) ? [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] : [0x02, 0x50, 0, 0, 0, dice.pick([1, 2, 9])]
    return (side, destination + sender.mac + [0x08, 0x06] + body)
  }

  // MARK: ICMP errors

  /// Somebody complains about a packet that the gateway sent.
  private mutating func error() -> (Side, [UInt8]) {
    let side = dice.pick(Side.allCases)
    guard let packet = dice.pickOne(seen[side] ?? []) else { return speak(.inside, openFromInside()) }
    var quote = packet.packet
    switch dice.number(0...9) {
    case 0: quote = Array(quote.prefix(28))
    case 1: quote = Array(quote.prefix(dice.number(0...40)))
    case 2: quote = Array(quote.prefix(548))
    case 3: quote[dice.number(0...min(quote.count - 1, 47))] ^= 1 << UInt8(dice.number(0...7))
    case 4: quote += dice.bytes(dice.number(1...40))
    default: break
    }
    if dice.percent(10), quote.count >= 28 { quote[8] = 1 }
    if dice.percent(90), quote.count >= 20 {
      let header = Int(quote[0] & 0x0F) * 4
      if header >= 20, header <= quote.count {
        quote.replaceSubrange(10..<12, with: [0, 0])
        quote.replaceSubrange(10..<12, with: big(InternetChecksum.of(quote[..<header])))
      }
    }
    var rest = dice.percent(70) ? 0 : UInt32(dice.number(68...1500))
    if dice.percent(10) {
      // RFC 4884: the length of the quote in words, then an extension with one object.
      while quote.count % 4 != 0 || quote.count < 128 { quote.append(0) }
      rest = UInt32(quote.count / 4) << 16
      quote += [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 0x61, 0x40]
    }
    let type: UInt8 = dice.pick(weighted: [(70, 3), (10, 11), (10, 12), (5, 4), (5, 5)])
    let others = side == .inside ? surroundings.insideHosts : surroundings.remoteHosts
    let source = dice.percent(60) ? packet.destination : dice.pick(others).address
    let target = dice.percent(92) ? packet.source : dice.pick(surroundings.publicAddresses)
    return speak(
      side,
      Draft(source, target, .icmp(type: type, code: dice.pick([0, 1, 3, 4, 13]), rest: rest, data: quote)))
  }

  // MARK: Fragments

  /// The first of the fragments to come; the others wait.
  private mutating func inFragments(_ draft: Draft, _ side: Side) -> (Side, [UInt8]) {
    var draft = draft
    if dice.percent(80) { enlarge(&draft, to: dice.number(20...2000)) }
    draft.identification = UInt16(dice.number(1...5))
    let payload = draft.payload
    if payload.isEmpty {
      return (side, frame(draft.ipv4([], fragmentField: 0x2000), from: draft.source, side))
    }
    var pieces: [(start: Int, end: Int, more: Bool)] = []
    var start = 0
    while start < payload.count {
      let length = dice.percent(90) ? dice.number(1...120) * 8 : dice.number(1...3) * 8
      let end = min(payload.count, start + length)
      pieces.append((start, end, end < payload.count))
      start = end
    }
    if dice.percent(10), pieces.count > 1 { pieces.remove(at: dice.number(0...pieces.count - 1)) }
    if dice.percent(10) { pieces.append(dice.pick(pieces)) }
    if dice.percent(6) {
      var piece = dice.pick(pieces)
      piece.start = max(0, piece.start + dice.pick([-8, 8]))
      if piece.start < piece.end { pieces.append(piece) }
    }
    if dice.percent(5) {
      let place = dice.number(0...pieces.count - 1)
      pieces[place].more.toggle()
    }
    if dice.percent(40) {
      for place in pieces.indices { pieces.swapAt(place, dice.number(0...pieces.count - 1)) }
    }
    for piece in pieces {
      let field = UInt16(piece.start / 8) | (piece.more ? 0x2000 : 0) | (dice.percent(2) ? 0x4000 : 0)
      var fragment = draft
      if dice.percent(3) { fragment.timeToLive = 1 }
      if dice.percent(3) { fragment.options = ipv4Options() }
      let packet = fragment.ipv4(Array(payload[piece.start..<piece.end]), fragmentField: field)
      waiting.append((side, frame(packet, from: draft.source, side)))
    }
    return waiting.removeFirst()
  }
}

extension Dice {
  /// Nil where there is nothing to choose from.
  mutating func pickOne<Choice>(_ choices: [Choice]) -> Choice? { choices.isEmpty ? nil : pick(choices) }
}
