import NATMemory
public import NATWire

/// The addresses and ports that new bindings draw from. They may change at run time, where there is one worker: bindings
/// keep the ports they have, whatever is offered now.
extension Shard {
  /// The place of an address of the pool; nil if it is none.
  /// - Complexity: O(pool addresses).
  public func poolPlace(of address: IPv4Address) -> Int? {
    for order in 0..<poolCount where self.address(at: order) == address { return Int(poolOrder[order]) }
    return nil
  }

  private func address(at order: Int) -> IPv4Address {
    IPv4Address(UInt32(truncatingIfNeeded: bindings.poolAddresses[Int(poolOrder[order])]))
  }

  /// Whether the pool offers a port, in use or not.
  public func isOffered(_ transport: TransportProtocol, _ port: UInt16, poolPlace place: Int) -> Bool {
    portMaps[PortSpace(poolPlace: place, transport).rawValue].isOffered(port)
  }

  /// Adds an address behind the others of the pool.
  ///
  /// - Returns: its place; nil where all places are taken.
  /// - Precondition: it is not in the pool, and no static mapping has it.
  public mutating func addPoolAddress(_ pool: PoolAddress) -> Int? {
    guard let place = (0..<pools.count).first(where: { !pools[$0].isPlaced }) else { return nil }
    bindings.poolAddresses[place] = UInt64(pool.address.rawValue)
    for transport in TransportProtocol.allCases {
      PortMap.offer(pool.ports, transport, in: offered, place: place)
    }
    openPoolAddress(place)
    return place
  }

  /// Draws from an address whose ports are offered.
  mutating func openPoolAddress(_ place: Int) {
    var record = PoolRecord()
    record.isOpen = true
    record.isPlaced = true
    pools[place] = record
    poolOrder[poolCount] = UInt32(place)
    poolCount += 1
    for transport in TransportProtocol.allCases { summarize(transport, at: place) }
  }

  /// Offers other ports of an address; bindings that have ports which are not offered any more keep them.
  public mutating func setPorts(_ ports: [ClosedRange<UInt16>], poolPlace place: Int) {
    let address = IPv4Address(UInt32(truncatingIfNeeded: bindings.poolAddresses[place]))
    for transport in TransportProtocol.allCases where transport != .icmp {
      PortMap.offer(ports, transport, in: offered, place: place)
      summarize(transport, at: place)
      let map = portMaps[PortSpace(poolPlace: place, transport).rawValue]
      var mapped = 0
      table.portForwardList.forEach { forward in
        guard forward.transport == transport, forward.public.address == address else { return }
        if map.isOffered(forward.public.port) { mapped += 1 }
      }
      pools[place].ports[transport] = UInt32(map.offeredCount - mapped)
      for port in 0...UInt16.max {
        let binding = bindings.direct(poolAddress: place, transport, port: port)
        if bindings.kind(of: binding) == .held { held.setOffered(binding, map.isOffered(port)) }
      }
    }
  }

  private func summarize(_ transport: TransportProtocol, at place: Int) {
    let map = portMaps[PortSpace(poolPlace: place, transport).rawValue]
    map.summarize()
    pools[place].ports[transport] = UInt32(map.offeredCount)
  }

  /// Puts the addresses of the pool into another order: of those that equally few hosts use, the first is taken.
  public mutating func orderPool(_ addresses: [IPv4Address]) {
    var order = 0
    for address in addresses {
      guard let found = (order..<poolCount).first(where: { self.address(at: $0) == address }) else {
        continue
      }
      let place = poolOrder[found]
      for at in stride(from: found, to: order, by: -1) { poolOrder[at] = poolOrder[at - 1] }
      poolOrder[order] = place
      order += 1
    }
  }

  /// No new binding draws from the address any more; those that it has are to be ended.
  public mutating func closePoolAddress(_ place: Int) { pools[place].isOpen = false }

  /// Takes an address that has no bindings left out of the pool; its place may serve another.
  /// - Precondition: it was closed, and ``Sweep`` has ended all that was on it.
  public mutating func removePoolAddress(_ place: Int) {
    guard let order = (0..<poolCount).first(where: { poolOrder[$0] == UInt32(place) }) else { return }
    for at in order..<poolCount - 1 { poolOrder[at] = poolOrder[at + 1] }
    poolCount -= 1
    for transport in TransportProtocol.allCases {
      let map = PortSpace(poolPlace: place, transport).rawValue
      for word in 0..<PortMap.mapWords { offered[map * PortMap.mapWords + word] = 0 }
      portMaps[map].summarize()
    }
    pools[place] = PoolRecord()
  }

  /// Gives the use of each pool address, in the order of the configuration; TCP, UDP, ICMP.
  public func poolUse(_ body: (PoolUse) -> Void) {
    for order in 0..<poolCount {
      let record = pools[Int(poolOrder[order])]
      let address = address(at: order)
      for transport in [TransportProtocol.tcp, .udp, .icmp] {
        body(
          PoolUse(
            address: address, transport: transport, ports: Int(record.ports[transport]),
            inUse: Int(record.inUse[transport]), held: Int(record.held[transport])))
      }
    }
  }
}
