import NATWire
import TestSupport
import Testing

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

/// One inside host and packets that ICMP errors quote.
enum ICMPErrorStage {
  static let host: End = "192.168.1.2:5000"
  static let remote: End = "142.250.195.100:9"
  static let router = "198.51.100.254"

  /// A packet of 192.168.1.2 that left, and what it left as: TTL 63 outside, 50 where the error was made.
  struct Sent: CustomTestStringConvertible {
    var name: String
    var packet: Datagram
    var x: End

    var seen: Datagram { packet.sent(as: x).with { $0.timeToLive = 50 } }
    var known: Datagram { packet.with { $0.timeToLive = 50 } }
    var testDescription: String { name }
  }

  static let udp = Sent(name: "UDP", packet: .udp(host, remote), x: Stage.x(50001))
  static let tcp = Sent(name: "TCP", packet: .tcp(host, remote, .syn), x: Stage.x(50001))
  static let echo = Sent(name: "echo", packet: .echo(Stage.c1, Stage.s1, 4711), x: Stage.x(0))

  /// A script in which the packet has left at 1 s, and an error is due to come.
  static func script(after sent: Sent, _ nat: [String: String] = [:]) throws -> Script {
    var script = try Script(nat)
    script.outbound(.s(1), sent.packet, as: sent.x)
    return script
  }

  /// The pool lies beside the outside address, so that the two can be told apart.
  static let pool = ["pool": "[{ address: 203.0.113.7, ports: 50001-60000 }]"]
}

extension Script {
  /// An error comes from outside, and its inside host reads it.
  mutating func delivered(_ time: Duration, _ error: Datagram, as read: Datagram) {
    receive(time, .outside, error)
    expect(time, .inside, read.with { $0.timeToLive = error.timeToLive - 1 })
  }
}
