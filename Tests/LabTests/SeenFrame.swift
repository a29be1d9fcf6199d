import Glibc
import NATKernel
import NATLab
import NATWire

/// A frame that a raw socket saw, read without the rooms under test.
struct SeenFrame {
  let bytes: [UInt8]

  var destination: [UInt8] { Array(bytes[0..<6]) }
  var source: [UInt8] { Array(bytes[6..<12]) }
  var type: UInt16 { UInt16(bytes[12]) << 8 | UInt16(bytes[13]) }

  struct ARP {
    var operation: UInt8
    var senderMAC: [UInt8]
    var sender: [UInt8]
    var target: [UInt8]
  }

  var arp: ARP? {
    guard type == 0x0806, bytes.count >= 42 else { return nil }
    return ARP(
      operation: bytes[21], senderMAC: Array(bytes[22..<28]), sender: Array(bytes[28..<32]),
      target: Array(bytes[38..<42]))
  }

  struct IPv4 {
    var typeOfService: UInt8
    var timeToLive: UInt8
    var protocolNumber: UInt8
    var source: [UInt8]
    var destination: [UInt8]
    /// What follows the header, as long as the header says.
    var payload: [UInt8]
  }

  var ipv4: IPv4? {
    guard type == 0x0800, bytes.count >= 34 else { return nil }
    let header = Int(bytes[14] & 0x0F) * 4
    let length = Int(bytes[16]) << 8 | Int(bytes[17])
    guard header >= 20, length >= header, bytes.count >= 14 + length else { return nil }
    return IPv4(
      typeOfService: bytes[15], timeToLive: bytes[22], protocolNumber: bytes[23],
      source: Array(bytes[26..<30]), destination: Array(bytes[30..<34]),
      payload: Array(bytes[(14 + header)..<(14 + length)]))
  }
}

extension PlainSocket {
  /// The next frame that a condition holds for; nil when none comes in time.
  func frame(within seconds: Double = 10, where isMeant: (SeenFrame) -> Bool) -> SeenFrame? {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      let left = (end - ContinuousClock.now) / .seconds(1)
      guard left > 0, let bytes = receive(within: left) else { return nil }
      let frame = SeenFrame(bytes: bytes)
      if bytes.count >= 14, isMeant(frame) { return frame }
    }
  }

  /// All frames that wait here, up to a pause of a tenth of a second.
  func framesSoFar() -> [SeenFrame] {
    var frames: [SeenFrame] = []
    while let bytes = receive(within: 0.1) { if bytes.count >= 14 { frames.append(SeenFrame(bytes: bytes)) } }
    return frames
  }
}

/// An interface of a namespace as a raw socket sees it, and where frames to it go.
final class Tap {
  let socket: PlainSocket
  let mac: [UInt8]

  /// - Parameter name: of the interface.
  init(_ namespace: NetworkNamespace, _ name: String = "eth0") throws {
    let facts = try namespace.enter { try InterfaceFacts(name: name) }
    socket = try namespace.enter { try PlainSocket.raw(facts) }
    mac = facts.macBytes
  }
}

extension InterfaceFacts {
  var macBytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: mac.rawValue >> (40 - 8 * UInt64($0))) } }
}

extension Lab.Street {
  /// The MAC of one of the gateway's interfaces.
  func gatewayMAC(_ name: String) throws -> [UInt8] {
    try gateway.enter { try InterfaceFacts(name: name).macBytes }
  }

  /// The table and the counters, as the daemon prints them.
  func report(_ daemon: borrowing ChildProcess) -> String {
    daemon.signal(SIGUSR1)
    return daemon.read(until: "end of report")
  }
}
