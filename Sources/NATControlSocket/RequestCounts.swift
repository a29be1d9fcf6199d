import NATControl
import Synchronization

/// Counts requests by route and status, for the metrics.
final class RequestCounts: Sendable {
  private struct Key: Hashable {
    var route: String
    /// The first digit of the status.
    var statusClass: Int
  }

  private let counts = Mutex<[Key: UInt64]>([:])

  /// - Parameter route: the name of a route or `other`, never text from a client.
  func count(_ route: String, status: Int) {
    counts.withLock { $0[Key(route: route, statusClass: status / 100), default: 0] += 1 }
  }

  var list: [ControlRequestCount] {
    counts.withLock { counts in
      counts.map { ControlRequestCount(route: $0.route, statusClass: "\($0.statusClass)xx", count: $1) }
    }.sorted { ($0.route, $0.statusClass) < ($1.route, $1.statusClass) }
  }
}
