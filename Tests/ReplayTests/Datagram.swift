import TestSupport

/// An address and a port (or query identifier), written `"192.168.1.2:5000"`.
struct End: Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  var address: String
  var port: UInt16

  init(_ address: String, _ port: UInt16) {
    self.address = address
    self.port = port
  }

  init(stringLiteral text: String) {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let port = UInt16(parts[1]) else { preconditionFailure("\(text) is no endpoint") }
    self.init(String(parts[0]), port)
  }

  var description: String { "\(address):\(port)" }
}

struct SegmentFlags: OptionSet {
  let rawValue: UInt8

  static let fin = SegmentFlags(rawValue: 1)
  static let syn = SegmentFlags(rawValue: 2)
  static let rst = SegmentFlags(rawValue: 4)
  static let psh = SegmentFlags(rawValue: 8)
  static let ack = SegmentFlags(rawValue: 16)
}

/// An IPv4 packet in parts. Its bytes are built anew each time, with full checksums.
struct Datagram: Equatable {
  var source: End
  var destination: End
  var payload: Payload
  var timeToLive: UInt8 = 64
  var typeOfService: UInt8 = 0
  var identification: UInt16 = 7
  var flagsAndOffset: UInt16 = 0x4000
  var options: [UInt8] = []
  /// Added to the transport checksum (ones' complement): a sender's error.
  var error: UInt16 = 0
  /// Added to the checksum of the IPv4 header.
  var headerError: UInt16 = 0

  enum Payload: Equatable {
    case udp([UInt8], hasChecksum: Bool)
    case tcp(Segment)
    /// The identifier is the port of the inside endpoint, or of the sender outside.
    case query(type: UInt8, sequence: UInt16, data: [UInt8])
    case icmp(type: UInt8, code: UInt8, rest: UInt32, data: [UInt8])
    case other(protocolNumber: UInt8, [UInt8])
  }

  struct Segment: Equatable {
    var flags: SegmentFlags
    var sequence: UInt32 = 1000
    var acknowledgement: UInt32 = 5000
    var window: UInt16 = 64240
    var options: [UInt8] = []
    var data: [UInt8] = []
  }

  // MARK: Making

  static func udp(_ source: End, _ destination: End, _ text: String = "question") -> Datagram {
    Datagram(source: source, destination: destination, payload: .udp(Array(text.utf8), hasChecksum: true))
  }

  static func tcp(_ source: End, _ destination: End, _ flags: SegmentFlags, _ text: String = "") -> Datagram {
    Datagram(
      source: source, destination: destination, payload: .tcp(Segment(flags: flags, data: Array(text.utf8))))
  }

  /// - Parameter type: 8 is an echo request, 0 its reply.
  static func query(_ type: UInt8, _ source: String, _ destination: String, _ identifier: UInt16) -> Datagram
  {
    let data: [UInt8] =
      switch type {
      case 13, 14: [UInt8](repeating: 0, count: 12)
      case 17, 18: [255, 255, 255, 0]
      case 15, 16: []
      default: Array("pingping".utf8)
      }
    return Datagram(
      source: End(source, identifier), destination: End(destination, identifier),
      payload: .query(type: type, sequence: 1, data: data))
  }

  static func echo(_ source: String, _ destination: String, _ identifier: UInt16) -> Datagram {
    query(8, source, destination, identifier)
  }

  static func echoReply(_ source: String, _ destination: String, _ identifier: UInt16) -> Datagram {
    query(0, source, destination, identifier)
  }

  // MARK: Going through the gateway

  /// As it leaves under a public endpoint.
  func sent(as public: End) -> Datagram {
    var copy = self
    copy.timeToLive -= 1
    copy.source = `public`
    if case .query = payload { copy.destination.port = `public`.port }
    return copy
  }

  /// As it reaches a private endpoint.
  func delivered(to private: End) -> Datagram {
    var copy = self
    copy.timeToLive -= 1
    copy.destination = `private`
    if case .query = payload { copy.source.port = `private`.port }
    return copy
  }

  func with(_ change: (inout Datagram) -> Void) -> Datagram {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Bytes

  /// Total length of the packet: what a session counts.
  var length: Int { bytes.count }

  /// The whole IPv4 packet.
  var bytes: [UInt8] { builder.bytes }

  private var builder: PacketBuilder {
    var builder = PacketBuilder(source.address, destination.address, content)
    builder.checksum = .off(by: error)
    if case .udp(_, hasChecksum: false) = payload { builder.checksum = .none }
    if case .tcp(let segment) = payload {
      builder.numbers.sequence = segment.sequence
      builder.numbers.acknowledgement = segment.acknowledgement
      builder.numbers.window = segment.window
    }
    builder.headerError = headerError
    builder.timeToLive = timeToLive
    builder.typeOfService = typeOfService
    builder.identification = identification
    builder.fragmentField = flagsAndOffset
    builder.options = options
    return builder
  }

  private var content: PacketBuilder.Content {
    switch payload {
    case .udp(let data, _): .udp(source.port, destination.port, data: data)
    case .tcp(let segment):
      .tcp(
        source.port, destination.port, flags: segment.flags.rawValue, options: segment.options,
        data: segment.data)
    // Both ports hold the identifier of the query.
    case .query(let type, let sequence, let data): .query(type, source.port, sequence: sequence, data: data)
    case .icmp(let type, let code, let rest, let data): .icmp(type: type, code: code, rest: rest, data: data)
    case .other(let number, let data): .other(number, data)
    }
  }
}

/// Ethernet frames.
enum Link {
  static let gatewayInside = "02:50:00:00:00:01"
  static let gatewayOutside = "02:50:00:00:00:02"
  static let insidePlaceholder = "02:00:00:00:00:01"
  static let outsidePlaceholder = "02:00:00:00:00:02"
  static let router = "52:54:00:00:00:01"
  static let broadcast = "ff:ff:ff:ff:ff:ff"

  /// The MAC address of an inside host.
  static func mac(of host: String) -> String {
    "52:54:" + host.octets.map { PacketText.hex($0, 2) }.joined(separator: ":")
  }

  static func octets(_ mac: String) -> [UInt8] {
    mac.split(separator: ":").compactMap { UInt8($0, radix: 16) }
  }

  static func frame(_ destination: String, _ source: String, type: UInt16 = 0x0800, _ payload: [UInt8])
    -> [UInt8]
  {
    EthernetFrame.bytes(to: octets(destination), from: octets(source), type: type, payload)
  }

  static func arp(
    _ operation: UInt16, from sender: (mac: String, address: String),
    to target: (mac: String, address: String)
  ) -> [UInt8] {
    EthernetFrame.arp(
      operation, from: (octets(sender.mac), sender.address.octets),
      to: (octets(target.mac), target.address.octets))
  }
}
