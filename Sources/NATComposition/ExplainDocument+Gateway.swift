public import NATConfiguration
public import NATControl
import NATEngine
public import NATGateway
import NATMemory
import NATTable
import NATWire

/// Why a request describes no packet: what was found and what was expected.
public struct ExplainFault: Error, Equatable, Sendable {
  public var text: String
}

extension ExplainFrame {
  /// The frame of a described packet.
  public init(_ request: ExplainRequest) throws(ExplainFault) {
    guard let side = Side.allCases.first(where: { "\($0)" == request.from }) else {
      throw ExplainFault(text: "from: found \"\(request.from)\"; expected inside or outside")
    }
    guard let source = IPv4Address(request.source.address) else {
      throw ExplainFault(text: "source: found \"\(request.source.address)\"; expected an IPv4 address")
    }
    guard let destination = IPv4Address(request.destination.address) else {
      throw ExplainFault(
        text: "destination: found \"\(request.destination.address)\"; expected an IPv4 address")
    }
    let names: [(String, UInt8)] = [
      ("fin", 1), ("syn", 2), ("rst", 4), ("psh", 8), ("ack", 16), ("urg", 32),
    ]
    if request.flags != nil && request.transport != .tcp {
      throw ExplainFault(text: "flags: found for \(request.transport.rawValue); only tcp has them")
    }
    var flags: UInt8 = 0
    for name in request.flags ?? ["syn"] {
      guard let flag = names.first(where: { $0.0 == name.lowercased() }) else {
        throw ExplainFault(text: "flags: found \"\(name)\"; expected any of fin, syn, rst, psh, ack, urg")
      }
      flags |= flag.1
    }
    let headers = request.transport == .tcp ? 40 : 28
    let length = Int(request.length ?? UInt16(headers))
    guard length >= headers else {
      throw ExplainFault(text: "length: found \(length); expected \(headers) to 65535")
    }
    self.init(
      described: ExplainFrame.frame(request, flags, from: source, to: destination, length: length),
      from: InterfaceIndex(side)
    )
  }

  /// An Ethernet frame with correct checksums and no MAC addresses.
  private static func frame(
    _ request: ExplainRequest, _ flags: UInt8, from source: IPv4Address, to destination: IPv4Address,
    length: Int
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Ethernet.headerLength + length)
    unsafe bytes.withUnsafeMutableBytes { buffer in
      // Safety: used only inside this closure.
      let frame = unsafe Frame(unsafeBase: buffer.baseAddress!, count: buffer.count)
      // DF is set, as hosts do for path MTU discovery.
      func setIPv4(_ transport: UInt8) {
        frame.setIPv4(
          transport, from: source, to: destination, timeToLive: request.ttl ?? 64,
          identification: UInt32(IPv4.dontFragment))
      }
      let transport = Ethernet.headerLength + IPv4.minimumHeaderLength
      let rest = frame.count - transport
      /// Of TCP or UDP: the two addresses of the pseudo-header lie directly before the transport header.
      func checksum(_ number: UInt8) -> UInt16 {
        var sum = frame.sum(from: transport - 8, count: 8 + rest)
        sum.add(UInt16(number))
        sum.add(UInt16(rest))
        return sum.checksum
      }
      frame.setUInt16(request.source.port, at: transport)
      frame.setUInt16(request.destination.port, at: transport + 2)
      switch request.transport {
      case .icmp:
        setIPv4(IPv4.protocolICMP)
        frame.setUInt32(UInt32(ICMPv4.echoRequest) << 24, at: transport)
        frame.setUInt16(request.source.port, at: transport + ICMPv4.identifierOffset)
        frame.setUInt16(
          frame.sum(from: transport, count: rest).checksum, at: transport + ICMPv4.checksumOffset)
      case .tcp:
        setIPv4(IPv4.protocolTCP)
        frame.setUInt8(0x50, at: transport + TCP.dataOffsetOffset)
        frame.setUInt8(flags, at: transport + TCP.flagsOffset)
        frame.setUInt16(.max, at: transport + TCP.windowOffset)
        frame.setUInt16(checksum(IPv4.protocolTCP), at: transport + TCP.checksumOffset)
      case .udp:
        setIPv4(IPv4.protocolUDP)
        frame.setUInt16(UInt16(rest), at: transport + UDP.lengthOffset)
        let sum = checksum(IPv4.protocolUDP)
        frame.setUInt16(sum == 0 ? .max : sum, at: transport + UDP.checksumOffset)
      }
    }
    return bytes
  }
}

extension ExplainDocument {
  /// What a gateway with this configuration and an empty table would do with a described packet.
  ///
  /// - Parameter seed: the seed of the port choice.
  public static func explain(
    _ request: ExplainRequest, _ configuration: Configuration, seed: UInt64 = 1
  ) throws(ExplainFault) -> ExplainDocument {
    var job = try ExplainFrame(request)
    var settings = GatewaySettings(configuration)
    settings.table.workers = 1
    let store = CounterStore()
    var gateway = Gateway(settings, counters: store.counters, random: RandomSource(seed: seed))
    var outbox = Outbox()
    _ = job.step(&gateway, into: &outbox, at: Instant(nanoseconds: 0))
    return ExplainDocument(job.explanation)
  }

  public init(_ explanation: Explanation) {
    self.init(
      steps: explanation.findings.map { Step($0) }, fields: Field.all(explanation), verdict: "drop")
    switch explanation.verdict {
    case .forward(let interface):
      verdict = "forward"
      to = "\(interface.side)"
    case .hold(let interface):
      verdict = "hold"
      to = "\(interface.side)"
    case .wait: verdict = "hold"
    case .answer: verdict = "answer"
    case .learn: verdict = "learn"
    case .leave: verdict = "leave"
    case .drop(let reason): drop = reason.name
    }
  }
}

extension ExplainDocument.Step {
  fileprivate init(_ finding: Explanation.Finding) {
    let (question, answer) = ExplainDocument.Step.texts(of: finding)
    self.init(question: question, answer: answer)
  }

  private static func texts(of finding: Explanation.Finding) -> (question: String, answer: String) {
    func answer(_ reason: DropReason?, _ otherwise: String = "") -> String {
      reason.map { "dropped: \($0.name)" } ?? otherwise
    }
    switch finding {
    case .decode(let reason): return ("decode", answer(reason, "well formed"))
    case .addresses(let reason): return ("addresses", answer(reason, "both may be ends of it"))
    case .own(let reason): return ("own", answer(reason, "an echo request to the gateway: answered"))
    case .kernel: return ("own", "left to the kernel of this machine")
    case .exempt: return ("exempt", "forwarded without translation")
    case .inside(let reason):
      return ("exempt", answer(reason, "between inside networks: not translated"))
    case .publicAddress(let reason):
      return ("public address", answer(reason, "the destination is one of ours"))
    case .leg(let sends, let inner, let outer, let kind, let state):
      let host = "\(sends ? "sender" : "receiver") \(inner)"
      let binding =
        outer.map { "\(kind.map { $0 == .dynamic ? "dynamic" : "static" } ?? "new") binding at \($0)" }
        ?? "no binding yet"
      let session = state.map { "session \(SessionDocument.State($0).rawValue)" } ?? "a new session"
      return ("binding and session", "\(host): \(binding), \(session)")
    case .refused(.filtered): return ("filter", answer(.filtered))
    case .refused(.noBinding): return ("binding", answer(.noBinding))
    case .refused(let reason): return ("session", answer(reason))
    case .route(let interface, let via): return ("route", "\(interface.side), next hop \(via)")
    case .noRoute: return ("route", answer(.noRoute))
    case .timeToLive(let reason): return ("ttl", answer(reason, "one less"))
    case .mtu(let mtu, let reason): return ("mtu", answer(reason, "fits") + " (\(mtu) bytes)")
    case .limits(let reason, let evicts):
      let text = answer(reason, "room for what it makes")
      return ("limits", evicts ? "\(text), but the oldest transitory session makes room" : text)
    case .port(let endpoint): return ("port", "\(endpoint)")
    case .notForUs: return ("link", answer(.notForUs))
    case .fragment(let reason, let waits):
      let passes = waits ? "waits for the first one of its datagram" : "passes as its datagram does"
      return ("fragment", answer(reason, passes))
    case .windowNotAsked:
      return ("window", "not asked: a described packet has no sequence number of its own")
    case .quote: return ("binding and session", "the quoted packet belongs to a live session")
    case .oneToOne: return ("binding and session", "over a 1:1 mapping, by address")
    case .arp(let isAnswered):
      return ("arp", isAnswered ? "asks for our address: answered" : "not answered")
    case .nextHop(let mac):
      return ("next hop", mac.map { "\($0)" } ?? "asked for by ARP; the packet waits")
    }
  }
}

extension ExplainDocument.Field {
  fileprivate static func all(_ explanation: Explanation) -> [ExplainDocument.Field] {
    let before = explanation.before
    let after = explanation.after
    guard before.count >= 34 + 8 else { return [] }
    var fields: [ExplainDocument.Field] = []
    func add(_ layer: String, _ field: String, _ text: ([UInt8]) -> String) {
      fields.append(
        .init(layer: layer, field: field, before: text(before), after: after.isEmpty ? nil : text(after)))
    }
    func number(_ place: Int) -> ([UInt8]) -> String {
      { "\(UInt16($0[place]) << 8 | UInt16($0[place + 1]))" }
    }
    func sum(_ place: Int) -> ([UInt8]) -> String {
      { bytes in
        let digits = String(UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1]), radix: 16)
        return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    func address(_ place: Int) -> ([UInt8]) -> String {
      { $0[place..<place + 4].map(String.init).joined(separator: ".") }
    }
    func mac(_ place: Int) -> ([UInt8]) -> String {
      { bytes in
        bytes[place..<place + 6].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
      }
    }
    add("ethernet", "destination", mac(0))
    add("ethernet", "source", mac(6))
    add("ipv4", "ttl") { "\($0[22])" }
    add("ipv4", "checksum", sum(24))
    add("ipv4", "source", address(26))
    add("ipv4", "destination", address(30))
    switch before[23] {
    case 1:
      add("icmp", "identifier", number(38))
      add("icmp", "checksum", sum(36))
    case 6 where before.count >= 54:
      add("tcp", "source port", number(34))
      add("tcp", "destination port", number(36))
      add("tcp", "checksum", sum(50))
    case 17:
      add("udp", "source port", number(34))
      add("udp", "destination port", number(36))
      add("udp", "checksum", sum(40))
    default: break
    }
    return fields
  }
}
