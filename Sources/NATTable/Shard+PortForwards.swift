import NATMemory
public import NATWire

/// Adds and finds port forwards.
extension Shard {
  /// Adds a port forward of the configuration before the first packet.
  mutating func installPortForward(_ mapping: PortForward) {
    let isInstalled = install(mapping, at: nil)
    precondition(isInstalled, "the indexes have room for the forwards of the configuration")
  }

  /// A binding that must end before the port forward can be added, or nil: the binding on its public
  /// endpoint, or the dynamic binding of its private endpoint if the port forward takes all outbound
  /// sessions.
  /// - Complexity: O(1), with O(pool addresses).
  public func bindingInTheWay(of mapping: PortForward) -> BindingIndex? {
    if let place = poolPlace(of: mapping.public.address) {
      let binding = bindings.direct(poolAddress: place, mapping.transport, port: mapping.public.port)
      switch bindings.kind(of: binding) {
      case .dynamic: return binding
      case .free, .held, .closing, .portForward, .oneToOne: break
      }
    } else if let binding = findBinding(mapping.transport, public: mapping.public),
      bindings.kind(of: binding) == .oneToOne
    {
      return binding
    }
    guard mapping.terms.takesAllFromInside,
      let binding = findBinding(mapping.transport, private: mapping.private).map({ last(from: $0) }),
      bindings.kind(of: binding) == .dynamic
    else { return nil }
    return binding
  }

  /// Adds a port forward after the others of its private endpoint.
  ///
  /// - Returns: false, with nothing changed, if there is no room or another port forward has its public
  ///   endpoint.
  /// - Precondition: ``bindingInTheWay(of:)`` is nil.
  /// - Complexity: O(pool addresses + port forwards).
  public mutating func addPortForward(_ mapping: PortForward, at now: Instant) -> Bool {
    guard portForwardCount < table.capacity.forwards, install(mapping, at: now) else { return false }
    table.portForwardList.add(mapping)
    return true
  }

  /// - Parameter now: nil before the first packet.
  private mutating func install(_ mapping: PortForward, at now: Instant?) -> Bool {
    let transport = mapping.transport
    let place = poolPlace(of: mapping.public.address)
    guard table.owner(of: mapping.private.address) == worker else {
      // The port forward belongs to another worker, but its port may be in this worker's granules.
      if let place { takePort(of: bindings.direct(poolAddress: place, transport, port: mapping.public.port)) }
      return true
    }
    let binding: BindingIndex
    if let place {
      binding = bindings.direct(poolAddress: place, transport, port: mapping.public.port)
      guard bindings.kind(of: binding) != .portForward else { return false }
    } else {
      if let other = findBinding(transport, public: mapping.public) {
        guard bindings.kind(of: other) != .portForward else { return false }
      }
      guard let free = nextExtra else { return false }
      binding = free
    }
    let privately = hash.ofPrivate(transport, mapping.private)
    let first = findBinding(transport, private: mapping.private)
    if first == nil { guard byPrivate.insert(privately, record: binding.rawValue) else { return false } }
    if place == nil {
      guard byPublic.insert(hash.ofPublic(transport, mapping.public), record: binding.rawValue) else {
        if first == nil { byPrivate.remove(privately, record: binding.rawValue) }
        return false
      }
      takeExtra(binding)
      bindings.setExtraPublic(mapping.public, transport, of: binding)
    } else {
      takePort(of: binding)
    }
    bindings.begin(binding, at: now ?? Instant(nanoseconds: 0))
    if mapping.terms != PortForwardTerms() {
      let terms = portForwardTerms.add(mapping.terms, of: binding, public: mapping.public.address, at: now)
      precondition(terms != nil, "every port forward has a place for its terms")
      if let terms { bindings.setTerms(terms, of: binding) }
      quietUntil = min(quietUntil, portForwardTerms.due)
    }
    bindings.publish(binding, mapping.private, transport, .portForward)
    if let first {
      if bindings.kind(of: first) != .portForward {
        // The 1:1 or dynamic binding of the same private endpoint comes after all port forwards.
        byPrivate.replace(privately, record: first.rawValue, with: binding.rawValue)
        bindings.setNext(first, after: binding)
      } else {
        insertIntoChain(of: first, binding)
      }
    }
    portForwardCount += 1
    return true
  }

  /// The next binding of the same private endpoint: the port forwards in the order of the configuration, then
  /// the 1:1 or dynamic binding, if there is one.
  public func nextBinding(after binding: BindingIndex) -> BindingIndex? {
    guard bindings.kind(of: binding) == .portForward else { return nil }
    return bindings.next(after: binding)
  }

  /// The last binding of a private endpoint: the 1:1 or dynamic one, otherwise the last port forward.
  func last(from first: BindingIndex) -> BindingIndex {
    var last = first
    while let next = nextBinding(after: last) { last = next }
    return last
  }

  /// Keeps the order of ``nextBinding(after:)``.
  func insertIntoChain(of first: BindingIndex, _ binding: BindingIndex) {
    var last = first
    while let next = nextBinding(after: last), bindings.kind(of: next) == .portForward { last = next }
    bindings.setNext(bindings.next(after: last), after: binding)
    bindings.setNext(binding, after: last)
  }

  /// Takes a port of the pool for a static mapping.
  private mutating func takePort(of binding: BindingIndex) {
    if bindings.kind(of: binding) == .held {
      held.remove(binding)
      changeUse(of: binding, inUse: 0, held: -1)
    } else {
      portMap(of: binding).take(binding.poolPort)
    }
    changeOfferedPorts(of: binding, by: -1)
  }

  /// Returns the port to the pool at once: hold-down is for dynamic ports (RFC 6888 REQ-8).
  mutating func releasePort(of binding: BindingIndex) {
    portMap(of: binding).free(binding.poolPort)
    changeOfferedPorts(of: binding, by: 1)
  }

  /// Updates the count of ports for dynamic bindings.
  private mutating func changeOfferedPorts(of binding: BindingIndex, by change: Int) {
    guard portMap(of: binding).isOffered(binding.poolPort) else { return }
    let space = PortSpace(of: binding)
    var record = pools[space.poolPlace]
    record.ports[space.transport] = UInt32(Int(record.ports[space.transport]) + change)
    pools[space.poolPlace] = record
  }

  /// - Complexity: O(pool addresses).
  public func findPortForward(_ transport: TransportProtocol, public: Endpoint) -> BindingIndex? {
    let found =
      if let place = poolPlace(of: `public`.address) {
        findBinding(poolAddress: place, transport, port: `public`.port)
      } else {
        findBinding(transport, public: `public`)
      }
    guard let found, bindings.kind(of: found) == .portForward else { return nil }
    return found
  }

  func takeOut(of chain: UInt64, _ binding: BindingIndex) {
    let transport = bindings.transport(of: binding)
    let next = bindings.next(after: binding)
    guard var before = findBinding(transport, private: bindings.privateEndpoint(of: binding)) else { return }
    if before == binding {
      if let next {
        byPrivate.replace(chain, record: binding.rawValue, with: next.rawValue)
      } else {
        byPrivate.remove(chain, record: binding.rawValue)
      }
      return
    }
    while let at = nextBinding(after: before), at != binding { before = at }
    bindings.setNext(next, after: before)
  }
}
