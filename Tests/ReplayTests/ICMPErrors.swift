/// ICMP errors, as routers and hosts send them.
extension Datagram {
  /// An error on its way through.
  ///
  /// - Parameters:
  ///   - packet: what it quotes, as its sender got it.
  ///   - count: how many bytes of that are there; all by default.
  ///   - tail: what follows the quote: an RFC 4884 extension, or anything.
  static func passingError(
    _ type: UInt8, _ code: UInt8, rest: UInt32 = 0, from source: String, to destination: String,
    quoting packet: Datagram, count: Int? = nil, tail: [UInt8] = []
  ) -> Datagram {
    passingError(
      type, code, rest: rest, from: source, to: destination,
      data: Array(packet.bytes.prefix(count ?? .max)) + tail)
  }

  /// The same with bytes that may be no packet.
  static func passingError(
    _ type: UInt8, _ code: UInt8, rest: UInt32 = 0, from source: String, to destination: String, data: [UInt8]
  ) -> Datagram {
    Datagram(
      source: End(source, 0), destination: End(destination, 0),
      payload: .icmp(type: type, code: code, rest: rest, data: data))
  }
}
