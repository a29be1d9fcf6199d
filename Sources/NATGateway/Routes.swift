import NATMemory
import NATTable
import NATWire

struct NextHop: BitwiseCopyable, Equatable {
  var interface: InterfaceIndex
  var address: IPv4Address

  var side: Side { interface.side }
}

/// The routes, connected networks included, longest prefix first.
///
/// - Complexity: O(routes). A gateway has few.
struct Routes: BitwiseCopyable {
  private struct Entry: BitwiseCopyable {
    var network: UInt32
    var mask: UInt32
    /// 0.0.0.0 for a connected network.
    var via: UInt32
    var interface: InterfaceIndex
  }

  private let entries: OwnedArray<Entry>

  static func byteCount(_ settings: GatewaySettings) -> Int {
    (settings.routes.count + settings.interfaces.count) * MemoryLayout<Entry>.stride
  }

  init(_ settings: GatewaySettings, memory: MappedMemory) {
    let routes =
      settings.interfaces.map { StaticRoute($0.network, via: .any, on: $0.index) } + settings.routes
    entries = memory.array(of: Entry.self, count: routes.count)
    let order = routes.indices.sorted {
      let (a, b) = (routes[$0].network.prefixLength, routes[$1].network.prefixLength)
      return a == b ? $0 < $1 : a > b
    }
    for (place, index) in order.enumerated() {
      let route = routes[index]
      entries[place] = Entry(
        network: route.network.address.rawValue, mask: route.network.mask, via: route.via.rawValue,
        interface: route.interface)
    }
  }

  func find(_ destination: IPv4Address) -> NextHop? {
    for index in 0..<entries.count {
      let entry = entries[index]
      if destination.rawValue & entry.mask == entry.network {
        return NextHop(
          interface: entry.interface, address: entry.via == 0 ? destination : IPv4Address(entry.via))
      }
    }
    return nil
  }
}

/// A list of networks in the form that the packet path reads.
///
/// - Complexity: O(networks).
struct NetworkList: BitwiseCopyable {
  private let entries: OwnedArray<UInt64>

  init(_ networks: [IPv4Network], memory: MappedMemory) {
    entries = memory.array(of: UInt64.self, count: networks.count)
    for (index, network) in networks.enumerated() {
      entries[index] = UInt64(network.address.rawValue) << 32 | UInt64(network.mask)
    }
  }

  func contains(_ address: IPv4Address) -> Bool {
    for index in 0..<entries.count {
      let entry = entries[index]
      if address.rawValue & UInt32(truncatingIfNeeded: entry) == UInt32(truncatingIfNeeded: entry >> 32) {
        return true
      }
    }
    return false
  }
}
