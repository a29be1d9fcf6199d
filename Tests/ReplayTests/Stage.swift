import TestSupport

/// The cast: two inside hosts, their usual public endpoints, three servers.
enum Stage {
  static let c1 = "192.168.1.2"
  static let c2 = "192.168.1.3"
  static let c3 = "192.168.1.4"
  static let s1 = "142.250.195.100"
  static let s2 = "151.101.65.69"
  static let s3 = "198.51.100.7"
  static let gateway = "203.0.113.5"

  /// A public endpoint.
  static func x(_ port: UInt16) -> End { End(gateway, port) }
}

extension Duration {
  static func s(_ seconds: Double) -> Duration { .milliseconds(Int64((seconds * 1000).rounded())) }

  static let nanosecond = Duration.nanoseconds(1)
}
