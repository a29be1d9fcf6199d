import NATMemory
public import NATWire

/// The addresses and ports that new bindings draw from. With one worker they may change at run time.
extension Shard {
  /// The place of a pool address; nil for other addresses.
  /// - Complexity: O(pool addresses).
  public func poolPlace(of address: IPv4Address) -> Int? {
    for order in 0..<poolCount where self.address(at: order) == address { return Int(poolOrder[order]) }
    return nil
  }

  private func address(at order: Int) -> IPv4Address {
    IPv4Address(UInt32(truncatingIfNeeded: bindings.poolAddresses[Int(poolOrder[order])]))
  }

  /// Whether the pool offers a port, in use or free.
  public func isOffered(_ transport: TransportProtocol, _ port: UInt16, poolPlace place: Int) -> Bool {
    portMaps[PortSpace(poolPlace: place, transport).rawValue].isOffered(port)
  }

  /// Adds an address at the end of the pool.
  ///
  /// - Returns: its place; nil if all places are taken.
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

  /// Opens an address to new bindings. Its ports are offered already.
  mutating func openPoolAddress(_ place: Int) {
    var record = PoolRecord()
    record.isOpen = true
    record.isPlaced = true
    pools[place] = record
    poolOrder[poolCount] = UInt32(place)
    poolCount += 1
    for transport in TransportProtocol.allCases { summarize(transport, at: place) }
  }

  /// Offers other ports of an address. Bindings keep ports that are no longer offered.
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

  /// Changes the order of the pool. Of the addresses with equally few hosts, a new host gets the first.
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

  /// Closes an address to new bindings. The caller ends those that it has.
  public mutating func closePoolAddress(_ place: Int) { pools[place].isOpen = false }

  /// Removes an address without bindings from the pool, and frees its place.
  /// - Precondition: it was closed, and ``PoolSweep`` has ended all bindings and hold-downs on it.
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

  /// The use of each pool address by TCP, UDP and ICMP, in the order of the configuration.
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
