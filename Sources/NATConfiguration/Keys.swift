/// The keys of every mapping of the file. An unknown key is compared with them.
enum Keys {
  static let root = [
    "interfaces", "routes", "nat", "static", "workers", "capture", "control", "metrics", "state", "record",
    "guard",
    "log",
  ]
  static let interfaces = ["inside", "outside"]
  static let inside = ["name", "address", "mac", "mtu"]
  static let outside = ["name", "address", "gateway", "mac", "mtu"]
  static let route = ["network", "via"]
  static let nat = [
    "inside-networks", "exempt", "pool", "port-choice", "parity", "port-rest", "pooling", "filtering",
    "hairpin", "inbound-refresh", "lifetimes", "limits", "exhaustion", "evict", "unsolicited-syn", "tcp",
    "fragments", "icmp-errors-per-second",
  ]
  static let pool = ["address", "ports"]
  static let filtering = ["udp", "tcp", "icmp"]
  static let lifetimes = ["udp", "tcp-established", "tcp-transitory", "icmp", "fragment", "ports"]
  static let limits = ["bindings", "sessions", "per-host"]
  static let perHost = ["ports", "sessions", "sessions-per-second"]
  static let tcp = ["loose", "window-tracking", "after-reset", "mss-clamp"]
  static let fragments = ["datagrams", "memory"]
  static let statics = ["protocol", "public", "private"] + forwardTerms
  static let forwardTerms = ["direction", "remote", "once", "lifetime"]
  static let capture = ["delivery", "ring", "snap-length"]
  static let control = ["socket", "mode", "group"]
  static let metrics = ["listen"]
  static let state = ["file", "interval"]
  static let record = ["active", "content", "window", "memory"]
  static let log = ["level"]

  /// Where a key belongs that stands at the wrong indentation.
  private static let homes: [(setting: String, keys: [String])] = [
    ("", root), ("interfaces", interfaces), ("interfaces.outside", outside), ("nat", nat),
    ("nat.lifetimes", lifetimes), ("nat.limits", limits), ("nat.tcp", tcp), ("nat.fragments", fragments),
    ("capture", capture), ("control", control), ("metrics", metrics), ("state", state), ("record", record),
    ("log", log),
  ]

  /// What would be right in place of an unknown key.
  static func suggestion(for key: String, among keys: [String], in setting: String) -> String {
    let near = keys.map { (key: $0, distance: distance($0, key.lowercased())) }
      .min { $0.distance < $1.distance }
    if let near, near.distance <= min(3, max(1, near.key.count / 3)) {
      return near.key
    }
    if let home = homes.first(where: { $0.setting != setting && $0.keys.contains(key) }) {
      return "\(key) \(home.setting.isEmpty ? "at the top level" : "under \(home.setting)")"
    }
    return keys.count == 1 ? keys[0] : "one of \(keys.listed(with: "or"))"
  }

  /// What would be right in place of something that is no mapping.
  static func mapping(of keys: [String]) -> String {
    switch keys.count {
    case 1: "a mapping with the key \(keys[0])"
    case 2...5: "a mapping with the keys \(keys.listed(with: "and"))"
    default: "a mapping with keys such as \(Array(keys.prefix(3)).listed(with: "and"))"
    }
  }

  /// Edits between two words: insertions, deletions, exchanges, and swaps of neighbours.
  private static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.unicodeScalars)
    let b = Array(b.unicodeScalars.prefix(64))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var least = min(row[j], rows[i][j + 1]) + 1
        least = min(least, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}

extension [String] {
  /// `a, b and c`.
  func listed(with conjunction: String) -> String {
    guard let last, count > 1 else { return first ?? "" }
    return "\(dropLast().joined(separator: ", ")) \(conjunction) \(last)"
  }
}
