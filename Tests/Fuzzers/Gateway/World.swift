import FuzzerSupport
import NATWire

/// Who stands around the gateway: addresses of every kind that one may have.
enum World {
  static let hosts = addresses([
    (192, 168, 1, 2), (192, 168, 1, 3), (192, 168, 1, 10), (192, 168, 1, 20), (10, 9, 0, 7),
    (192, 168, 1, 254), (192, 168, 1, 4), (192, 168, 1, 1), (192, 168, 1, 255), (192, 168, 7, 9),
    (203, 0, 113, 5), (127, 0, 0, 1),
  ])
  static let publics = addresses([
    (203, 0, 113, 5), (203, 0, 113, 6), (203, 0, 113, 7), (203, 0, 113, 8), (198, 18, 0, 1),
    (203, 0, 113, 9), (192, 168, 1, 2), (192, 168, 1, 1),
  ])
  static let remotes = addresses([
    (142, 250, 195, 100), (198, 51, 100, 7), (151, 101, 65, 69), (203, 0, 113, 1), (203, 0, 113, 77),
    (172, 16, 5, 5), (203, 0, 113, 5), (203, 0, 113, 6), (203, 0, 113, 7), (192, 168, 1, 1),
    (192, 168, 1, 3), (10, 9, 0, 7), (255, 255, 255, 255), (224, 0, 0, 1), (198, 18, 0, 1), (0, 0, 0, 0),
  ])
  static let ports: [UInt16] = [
    0, 1, 7, 53, 80, 443, 1023, 1024, 2000, 5000, 5001, 8080, 50001, 50002, 65534, 65535,
  ]

  private static func addresses(_ octets: [(UInt8, UInt8, UInt8, UInt8)]) -> [UInt32] {
    octets.map { IPv4Address($0.0, $0.1, $0.2, $0.3).rawValue }
  }

  /// The MAC address of whoever sends from an address.
  static func mac(_ address: UInt32) -> [UInt8] { [0x52, 0x54] + four(address) }

  static let broadcast = [UInt8](repeating: 0xFF, count: 6)

  /// The gateway's own.
  static func gatewayMAC(_ side: Side) -> [UInt8] { [2, 0x50, 0, 0, 0, side == .inside ? 1 : 2] }
}

extension Input {
  mutating func host() -> UInt32 { pick(World.hosts) }

  mutating func remote() -> UInt32 { pick(World.remotes) }

  mutating func publicAddress() -> UInt32 { pick(World.publics) }

  /// A port that means something, or any.
  mutating func port() -> UInt16 {
    let choice = byte()
    return choice < 128
      ? World.ports[Int(choice) % World.ports.count] : UInt16(choice & 127) << 8 | UInt16(byte())
  }
}
