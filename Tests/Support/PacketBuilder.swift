public import NATWire

/// TCP flags as they stand in the header.
public enum Flag {
  public static let fin: UInt8 = 0x01
  public static let syn: UInt8 = 0x02
  public static let rst: UInt8 = 0x04
  public static let push: UInt8 = 0x08
  public static let ack: UInt8 = 0x10
  public static let urgent: UInt8 = 0x20
}

/// Builds an IPv4 packet, right or wrong.
public struct PacketBuilder: Sendable {
  public enum Content: Sendable {
    /// `length`: what the UDP header says, if that is not true.
    case udp(UInt16, UInt16, data: [UInt8], length: Int? = nil)
    case tcp(
      UInt16, UInt16, flags: UInt8, options: [UInt8] = [], data: [UInt8] = [], numbers: Numbers = Numbers())
    case icmp(type: UInt8, code: UInt8 = 0, rest: UInt32, data: [UInt8] = [])
    case other(UInt8, [UInt8])

    /// An ICMP query: type 8 is an echo request, 0 its reply.
    public static func query(_ type: UInt8, _ identifier: UInt16, sequence: UInt16 = 1, data: [UInt8] = [])
      -> Content
    {
      .icmp(type: type, rest: UInt32(identifier) << 16 | UInt32(sequence), data: data)
    }
  }

  /// The position of a TCP segment in its connection.
  public struct Numbers: Sendable {
    public var sequence: UInt32
    public var acknowledgement: UInt32
    public var window: UInt16

    public init(sequence: UInt32 = 0x1000, acknowledgement: UInt32 = 0x2000, window: UInt16 = 64240) {
      self.sequence = sequence
      self.acknowledgement = acknowledgement
      self.window = window
    }
  }

  /// The checksum of the transport. ICMP has no pseudo-header: `partial` and `none` are right there.
  public enum Checksum: Sendable {
    case right, wrong
    /// The folded sum of the pseudo-header alone, as a sender leaves it to its device.
    case partial
    /// Zero.
    case none
    /// The right one plus this, as ones' complement numbers.
    case off(by: UInt16)
  }

  public var source: IPv4Address
  public var destination: IPv4Address
  public var content: Content
  public var checksum = Checksum.right
  public var timeToLive: UInt8 = 64
  public var typeOfService: UInt8 = 0
  public var identification: UInt16 = 0
  /// Flags and fragment offset; 0x4000 is DF.
  public var fragmentField: UInt16 = 0
  /// A multiple of four bytes.
  public var options: [UInt8] = []
  /// Added to the checksum of the IPv4 header, as ones' complement numbers.
  public var headerError: UInt16 = 0

  public init(_ source: some AddressBytes, _ destination: some AddressBytes, _ content: Content) {
    self.source = IPv4Address(doubleWord(source.octets, 0))
    self.destination = IPv4Address(doubleWord(destination.octets, 0))
    self.content = content
  }

  public func with(_ change: (inout PacketBuilder) -> Void) -> PacketBuilder {
    var copy = self
    change(&copy)
    return copy
  }

  /// Sequence number, acknowledgement number and window of a TCP segment.
  public var numbers: Numbers {
    get { if case .tcp(_, _, _, _, _, let numbers) = content { numbers } else { Numbers() } }
    set {
      if case .tcp(let source, let destination, let flags, let options, let data, _) = content {
        content = .tcp(source, destination, flags: flags, options: options, data: data, numbers: newValue)
      }
    }
  }

  public var doesNotFragment: Bool {
    get { fragmentField & 0x4000 != 0 }
    set { fragmentField = newValue ? fragmentField | 0x4000 : fragmentField & ~0x4000 }
  }

  public var protocolNumber: UInt8 {
    switch content {
    case .udp: 17
    case .tcp: 6
    case .icmp: 1
    case .other(let number, _): number
    }
  }

  /// The whole packet.
  public var bytes: [UInt8] { ipv4(payload, fragmentField: fragmentField) }

  /// An IPv4 packet with this one's header but another payload and fragment field.
  public func ipv4(_ payload: [UInt8], fragmentField: UInt16) -> [UInt8] {
    let length = 20 + options.count + payload.count
    var header: [UInt8] = [0x45 + UInt8(options.count / 4), typeOfService]
    header += big(UInt16(truncatingIfNeeded: length)) + big(identification) + big(fragmentField)
    header += [timeToLive, protocolNumber, 0, 0] + source.octets + destination.octets + options
    setWord(&header, 10, InternetChecksum.sum(InternetChecksum.of(header), headerError))
    return header + payload
  }

  /// What follows the IPv4 header.
  public var payload: [UInt8] {
    switch content {
    case .udp(let source, let destination, let data, let length):
      let covered = length ?? 8 + data.count
      let header = big(source) + big(destination) + big(UInt16(truncatingIfNeeded: covered))
      return summed(header + [0, 0] + data, at: 6, covered: covered)
    case .tcp(let source, let destination, let flags, let options, let data, let numbers):
      let header =
        big(source) + big(destination) + big(numbers.sequence) + big(numbers.acknowledgement)
      let rest = [UInt8(5 + options.count / 4) << 4, flags] + big(numbers.window) + [0, 0, 0, 0]
      return summed(header + rest + options + data, at: 16, covered: 20 + options.count + data.count)
    case .icmp(let type, let code, let rest, let data):
      return summed([type, code, 0, 0] + big(rest) + data, at: 2, covered: 8 + data.count)
    case .other(_, let bytes): return bytes
    }
  }

  private func summed(_ segment: [UInt8], at place: Int, covered: Int) -> [UInt8] {
    let isICMP = protocolNumber == 1
    let pseudoHeader =
      isICMP
      ? []
      : InternetChecksum.pseudoHeader(
        source: source.octets, destination: destination.octets, protocolNumber: protocolNumber,
        length: covered)
    var field = InternetChecksum.of(pseudoHeader + segment.prefix(covered))
    switch checksum {
    case .wrong: field ^= isICMP ? 0x5A00 : 0x0101
    case .partial where !isICMP: field = InternetChecksum.sum(pseudoHeader)
    case .none where !isICMP: return segment
    case .off(let error): field = InternetChecksum.sum(field, error)
    case .right, .partial, .none: break
    }
    var segment = segment
    setWord(&segment, place, protocolNumber == 17 && field == 0 ? 0xFFFF : field)
    return segment
  }
}
