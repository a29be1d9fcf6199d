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

  /// Applies new addresses, MAC addresses and MTUs of the interfaces.
  ///
  /// - Precondition: bindings on removed addresses have ended.
  /// - Complexity: O(neighbour capacity) if an address changes, otherwise O(interfaces).
  mutating func setInterfaces(_ new: GatewaySettings) {
    let old = interfaces
    interfaces = Interfaces(new)
    neighbourTables.add(for: interfaces)
    translator.changeOutsideAddress(from: settings.outsideAddress, to: new.outside.address)
    settings.outsideAddress = new.outside.address
    settings.sharesOutside = new.outside.isShared
    settings.lostAddress = .any
    for interface in new.interfaces where old.network(of: interface.address, on: interface.index.side) == nil
    {
      forgetNeighbours(on: interface.index)
    }
    factsCache.invalidate()
  }

  /// Whether a frame to the outside has a source that is no longer ours: it waited while static mappings, the pool or
  /// networks changed.
  func hasLostSource(_ frame: Frame, to interface: InterfaceIndex) -> Bool {
    guard interface.side == .outside else { return false }
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
