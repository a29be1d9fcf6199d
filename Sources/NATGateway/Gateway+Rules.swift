import NATEngine
import NATMemory
import NATTable
import NATWire

// Settings that change while the gateway runs.
extension Gateway {
  /// Applies new rules: networks and routes, filtering, port choice, limits, lifetimes, answers. Bindings and sessions
  /// stay as they are. Other settings in `new` (interfaces, capacity, fragments, static mappings, pool) are ignored.
  ///
  /// - Precondition: the limits are within the capacity of the table, and there is room for the lifetimes.
  /// - Complexity: O(routes + networks).
  mutating func setRules(_ new: GatewaySettings) {
    lists = NetworkLists(new)
    translator.settings = new.translator
    translator.shard.policy = new.table.policy
    translator.shard.setLimits(bindings: new.table.bindingLimit, sessions: new.table.sessionLimit)
    let isSet = translator.shard.setLifetimes(new.table.lifetimes)
    precondition(isSet, "the caller checked that there is room for the lifetimes")
    if new.icmpErrorsPerSecond != insideBudget.perSecond {
      insideBudget = ErrorBudget(perSecond: new.icmpErrorsPerSecond)
      outsideBudget = ErrorBudget(perSecond: new.icmpErrorsPerSecond)
    }
    settings.exhaustion = new.exhaustion
    settings.answersUnsolicitedSYN = new.answersUnsolicitedSYN
    factsCache.invalidate()
  }

  /// Applies new addresses, MAC addresses and MTUs of both interfaces.
  ///
  /// - Precondition: bindings on removed addresses have ended.
  /// - Complexity: O(neighbour capacity) if an address changes, otherwise O(1).
  mutating func setInterfaces(_ new: GatewaySettings) {
    if new.inside.address != settings.insideAddress { forgetNeighbours(on: .inside) }
    if new.outside.address != settings.outsideAddress {
      translator.changeOutsideAddress(from: settings.outsideAddress, to: new.outside.address)
      forgetNeighbours(on: .outside)
    }
    settings.insideAddress = new.inside.address
    settings.outsideAddress = new.outside.address
    settings.lostAddress = .any
    settings.insideMAC = new.inside.mac
    settings.outsideMAC = new.outside.mac
    settings.insideMTU = new.inside.mtu
    settings.outsideMTU = new.outside.mtu
    settings.sharesInside = new.inside.isShared
    settings.sharesOutside = new.outside.isShared
    settings.special = Gateway.special(new)
    factsCache.invalidate()
  }

  /// Network and broadcast addresses of both networks; 0 where there is none.
  static func special(_ settings: GatewaySettings) -> (UInt32, UInt32, UInt32, UInt32) {
    func special(_ network: IPv4Network) -> (UInt32, UInt32) {
      guard let broadcast = network.broadcast else { return (0, 0) }
      return (network.address.rawValue, broadcast.rawValue)
    }
    let (inside, outside) = (special(settings.inside.network), special(settings.outside.network))
    return (inside.0, inside.1, outside.0, outside.1)
  }

  /// Whether a frame to the outside has a source that is no longer ours: it waited while static mappings, the pool or
  /// networks changed.
  func hasLostSource(_ frame: Frame, to side: Side) -> Bool {
    guard side == .outside else { return false }
    let source = frame.address(at: Packet.networkOffset + IPv4.sourceOffset)
    if translator.role(of: source) != nil { return false }
    let destination = frame.address(at: Packet.networkOffset + IPv4.destinationOffset)
    return !insideNetworks.contains(source) || !exempt.contains(destination)
  }
}

/// The routes, the inside networks and the exempt networks. A reload replaces all three together.
struct NetworkLists {
  let routes: Routes
  let insideNetworks: NetworkList
  let exempt: NetworkList
  private let memory: (MappedMemory, MappedMemory, MappedMemory)

  init(_ settings: GatewaySettings) {
    memory = (
      MappedMemory(byteCount: Routes.byteCount(settings)),
      MappedMemory(byteCount: settings.insideNetworks.count * 8),
      MappedMemory(byteCount: settings.exempt.count * 8)
    )
    routes = Routes(settings, memory: memory.0)
    insideNetworks = NetworkList(settings.insideNetworks, memory: memory.1)
    exempt = NetworkList(settings.exempt, memory: memory.2)
  }
}
