import NATMemory
public import NATWire

extension Shard {
  // MARK: Port forwards

  /// A forward of the configuration takes its place before any dynamic binding can.
  mutating func installForward(_ mapping: StaticForward) {
    let isInstalled = install(mapping, at: nil)
    precondition(isInstalled, "the indexes have room for the forwards of the configuration")
  }

  /// A binding that has to end before a forward can have its endpoints: whoever has the public one, and where the forward
  /// takes all that its host begins, the dynamic one of the private endpoint. Nil when nothing is in the way any more.
  /// - Complexity: O(1), with O(pool addresses).
  public func bindingInTheWay(of mapping: StaticForward) -> BindingIndex? {
    if let place = poolPlace(of: mapping.public.address) {
      let binding = bindings.direct(poolAddress: place, mapping.transport, port: mapping.public.port)
      switch bindings.kind(of: binding) {
      case .dynamic: return binding
      case .free, .resting, .closing, .forward, .oneToOne: break
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

  /// Puts a forward in force, behind the others of its private endpoint.
  ///
  /// - Returns: false, and nothing has changed, where there is no place for it or its public endpoint is a forward's.
  /// - Precondition: ``bindingInTheWay(of:)`` is nil.
  /// - Complexity: O(1), with O(pool addresses) and O(forwards) for the list of them.
  public mutating func addForward(_ mapping: StaticForward, at now: Instant) -> Bool {
    guard forwardCount < table.capacity.forwards, install(mapping, at: now) else { return false }
    table.forwardList.add(mapping)
    return true
  }

  /// - Parameter now: nil before there is a clock.
  private mutating func install(_ mapping: StaticForward, at now: Instant?) -> Bool {
    let transport = mapping.transport
    let place = poolPlace(of: mapping.public.address)
    guard table.owner(of: mapping.private.address) == worker else {
      // Whoever owns the port never hands it out.
      if let place {
        let binding = bindings.direct(poolAddress: place, transport, port: mapping.public.port)
        portMaps[Int(binding.rawValue >> 16)].take(mapping.public.port)
        if portMaps[Int(binding.rawValue >> 16)].isOffered(mapping.public.port) {
          changePorts(of: binding, by: -1)
        }
      }
      return true
    }
    let binding: BindingIndex
    if let place {
      binding = bindings.direct(poolAddress: place, transport, port: mapping.public.port)
      guard bindings.kind(of: binding) != .forward else { return false }
    } else {
      if let other = findBinding(transport, public: mapping.public) {
        guard bindings.kind(of: other) != .forward else { return false }
      }
      guard let free = nextExtra else { return false }
      binding = free
    }
    let privately = hash.ofPrivate(transport, mapping.private)
    let first = findBinding(transport, private: mapping.private)
    if first == nil { guard forward.insert(privately, record: binding.rawValue) else { return false } }
    if place == nil {
      guard byPublic.insert(hash.ofPublic(transport, mapping.public), record: binding.rawValue) else {
        if first == nil { forward.remove(privately, record: binding.rawValue) }
        return false
      }
      takeExtra(binding)
      describeExtra(binding, transport, public: mapping.public)
    } else {
      holdPort(of: binding)
    }
    bindings.set(binding, 1, now?.nanoseconds ?? 0)
    bindings.set(binding, 2, UInt64(BindingStore.none) << 32)
    bindings.set(binding, 3, 0)
    if mapping.terms != ForwardTerms() {
      let terms = forwardTerms.add(mapping.terms, of: binding, public: mapping.public.address, at: now)
      precondition(terms != nil, "every forward has a place for its terms")
      bindings.setHigh(binding, 3, (terms ?? 0) + 1)
      quietUntil = min(quietUntil, forwardTerms.due)
    }
    bindings.words.release(
      BindingStore.describe(mapping.private, transport, .forward), at: Int(binding.rawValue) * 4)
    if let first {
      if bindings.kind(of: first) != .forward {
        // The 1:1 or dynamic binding of the same private endpoint stands behind all forwards.
        forward.replace(privately, record: first.rawValue, with: binding.rawValue)
        bindings.setLow(binding, 3, first.rawValue + 1)
      } else {
        insertIntoChain(of: first, binding)
      }
    }
    forwardCount += 1
    return true
  }

  /// The last of a private endpoint's bindings: its 1:1 or dynamic one, or its last forward.
  func last(from first: BindingIndex) -> BindingIndex {
    var last = first
    while let next = forward(after: last) { last = next }
    return last
  }

  /// The chain keeps the order of the configuration; the 1:1 or dynamic binding, if there is one, stays last.
  func insertIntoChain(of first: BindingIndex, _ binding: BindingIndex) {
    var last = first
    while let next = forward(after: last), bindings.kind(of: next) == .forward { last = next }
    bindings.setLow(binding, 3, bindings.low(last, 3))
    bindings.setLow(last, 3, binding.rawValue + 1)
  }

  /// A static mapping holds a port of the pool: nobody else may have it.
  private mutating func holdPort(of binding: BindingIndex) {
    let map = portMaps[Int(binding.rawValue >> 16)]
    let port = UInt16(truncatingIfNeeded: binding.rawValue)
    if bindings.kind(of: binding) == .resting {
      resting.remove(binding)
      changeUse(of: binding, inUse: 0, resting: -1)
    } else {
      map.take(port)
    }
    if map.isOffered(port) { changePorts(of: binding, by: -1) }
  }

  /// It goes back to the pool at once: statics leave no rest behind (RFC 6888 REQ-8 is about ports of others).
  private mutating func releasePort(of binding: BindingIndex) {
    let map = portMaps[Int(binding.rawValue >> 16)]
    let port = UInt16(truncatingIfNeeded: binding.rawValue)
    map.free(port)
    if map.isOffered(port) { changePorts(of: binding, by: 1) }
  }

  private mutating func changePorts(of binding: BindingIndex, by change: Int) {
    let place = Int(binding.rawValue) / BindingIndex.portsPerAddress
    let transport = bindings.transport(of: binding)
    var record = pools[place]
    record.setPorts(record.ports(of: transport) + change, of: transport)
    pools[place] = record
  }

  /// The forward of a public endpoint.
  /// - Complexity: O(1), with O(pool addresses).
  public func findForward(_ transport: TransportProtocol, public: Endpoint) -> BindingIndex? {
    let found =
      if let place = poolPlace(of: `public`.address) {
        findBinding(poolAddress: place, transport, port: `public`.port)
      } else {
        findBinding(transport, public: `public`)
      }
    guard let found, bindings.kind(of: found) == .forward else { return nil }
    return found
  }

  private func takeForwardOut(of chain: UInt64, _ binding: BindingIndex) {
    let transport = bindings.transport(of: binding)
    let next = bindings.low(binding, 3)
    guard var before = findBinding(transport, private: bindings.privateEndpoint(of: binding)) else { return }
    if before == binding {
      if next == 0 {
        forward.remove(chain, record: binding.rawValue)
      } else {
        forward.replace(chain, record: binding.rawValue, with: next - 1)
      }
      return
    }
    while let at = forward(after: before), at != binding { before = at }
    bindings.setLow(before, 3, next)
  }

  // MARK: Closing

  /// A binding that no packet finds any more, and whose sessions are about to end.
  public struct Closing: BitwiseCopyable, Sendable {
    public let binding: BindingIndex
    let kind: BindingKind
    let reason: EndReason
  }

  /// Takes a live binding out of every index; its sessions still run.
  /// - Complexity: O(1), for a forward O(forwards).
  public mutating func close(_ binding: BindingIndex, because reason: EndReason) -> Closing {
    let kind = bindings.kind(of: binding)
    let transport = bindings.transport(of: binding)
    let endpoint = bindings.privateEndpoint(of: binding)
    let publicEndpoint = bindings.publicEndpoint(of: binding)
    switch kind {
    case .forward:
      takeForwardOut(of: hash.ofPrivate(transport, endpoint), binding)
      byPublic.remove(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue)
      table.forwardList.remove(StaticForward(transport, public: publicEndpoint, private: endpoint))
      forwardCount -= 1
      let terms = bindings.high(binding, 3)
      if terms != 0 { forwardTerms.remove(terms - 1, isNoted: reason.isByItself) }
    case .oneToOne: unindexOneToOne(binding)
    case .dynamic: unindexPrivate(binding, transport, endpoint)
    case .free, .resting, .closing: break
    }
    bindings.words.release(
      BindingStore.describe(endpoint, transport, .closing), at: Int(binding.rawValue) * 4)
    if kind == .forward { exposeOneToOne(transport, publicEndpoint) }
    return Closing(binding: binding, kind: kind, reason: reason)
  }

  /// The 1:1 mapping that the forward stood before has its port again (ST-4).
  private func exposeOneToOne(_ transport: TransportProtocol, _ publicEndpoint: Endpoint) {
    guard let mapping = oneToOne(public: publicEndpoint.address),
      let binding = findOneToOne(transport, mapping, port: publicEndpoint.port)
    else { return }
    _ = byPublic.insert(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue)
  }

  /// Ends sessions of a closed binding, and with the last one the binding.
  ///
  /// - Parameter limit: how many may end now; what ended is taken from it.
  /// - Returns: whether it is done.
  public mutating func end(_ closing: Closing, at now: Instant, limit: inout Int) -> Bool {
    while let session = firstSession(of: closing.binding) {
      guard limit > 0 else { return false }
      remove(session, isScheduled: true, at: now, because: closing.reason)
      limit -= 1
    }
    let binding = closing.binding
    switch closing.kind {
    case .dynamic: endDynamic(binding, at: now, because: closing.reason)
    case .oneToOne: freeOneToOneBinding(binding)
    case .forward:
      if closing.reason.isByItself, listeners.contains(.events) {
        note(.bindingEnded, binding, at: now, because: closing.reason)
      }
      bindings.words.release(0, at: Int(binding.rawValue) * 4)
      if Int(binding.rawValue) < bindings.directCount {
        releasePort(of: binding)
      } else {
        giveBackExtra(binding)
      }
    case .free, .resting, .closing: break
    }
    return true
  }

  // MARK: 1:1 mappings

  /// Puts a 1:1 mapping in force; false, and nothing has changed, where there is no room.
  ///
  /// Dynamic bindings of its host are to be ended then: whoever is seen under an address of his own has no other.
  /// - Complexity: O(1).
  public mutating func addOneToOne(_ mapping: StaticAddress) -> Bool {
    guard oneToOne(public: mapping.public) == nil, oneToOne(private: mapping.private) == nil else {
      return false
    }
    let record: UInt32
    if freeOneToOne != 0 {
      record = freeOneToOne - 1
    } else {
      guard freshOneToOne < oneToOne.count else { return false }
      record = UInt32(freshOneToOne)
    }
    let next = freeOneToOne != 0 ? oneToOne[record].private.rawValue : 0
    guard oneToOneByPublic.insert(hash.ofAddress(mapping.public), record: record) else { return false }
    guard oneToOneByPrivate.insert(hash.ofAddress(mapping.private), record: record) else {
      oneToOneByPublic.remove(hash.ofAddress(mapping.public), record: record)
      return false
    }
    if freeOneToOne != 0 { freeOneToOne = next } else { freshOneToOne += 1 }
    oneToOne[record] = mapping
    return true
  }

  /// Takes a 1:1 mapping back: no packet makes a binding of it any more; those that live are to be ended.
  /// - Complexity: O(1).
  public mutating func removeOneToOne(_ mapping: StaticAddress) -> Bool {
    let found = oneToOneByPublic.find(hash.ofAddress(mapping.public)) { oneToOne[$0] == mapping }
    guard let record = found else { return false }
    oneToOneByPublic.remove(hash.ofAddress(mapping.public), record: record)
    oneToOneByPrivate.remove(hash.ofAddress(mapping.private), record: record)
    oneToOne[record] = StaticAddress(public: .any, private: IPv4Address(freeOneToOne))
    freeOneToOne = record + 1
    return true
  }

  /// The next forward of the same private endpoint, in the order of the configuration; behind the last one the 1:1 or
  /// dynamic binding of that endpoint, while there is one.
  public func forward(after binding: BindingIndex) -> BindingIndex? {
    guard bindings.kind(of: binding) == .forward else { return nil }
    let next = bindings.low(binding, 3)
    return next == 0 ? nil : BindingIndex(next - 1)
  }

  /// The 1:1 mapping of a public address.
  public func oneToOne(public address: IPv4Address) -> StaticAddress? {
    oneToOneByPublic.find(hash.ofAddress(address)) { oneToOne[$0].public == address }.map { oneToOne[$0] }
  }

  /// The 1:1 mapping of an inside host.
  public func oneToOne(private address: IPv4Address) -> StaticAddress? {
    oneToOneByPrivate.find(hash.ofAddress(address)) { oneToOne[$0].private == address }.map { oneToOne[$0] }
  }

  /// The binding of one port of a 1:1 mapping, while it has sessions. A forward may have the same public endpoint, so it
  /// is looked for from inside.
  public func findOneToOne(
    _ transport: TransportProtocol, _ mapping: StaticAddress, port: UInt16
  ) -> BindingIndex? {
    var at = findBinding(transport, private: Endpoint(mapping.private, port))
    while let binding = at, bindings.kind(of: binding) != .oneToOne { at = forward(after: binding) }
    return at
  }

  /// Makes the binding for one port of a 1:1 mapping; nil if there is no place. The places of forwards are not theirs.
  public mutating func insertOneToOne(
    _ transport: TransportProtocol, _ mapping: StaticAddress, port: UInt16, at now: Instant
  ) -> BindingIndex? {
    guard counts.oneToOneBindings < extraCount - table.capacity.forwards, let binding = nextExtra else {
      return nil
    }
    let privately = hash.ofPrivate(transport, Endpoint(mapping.private, port))
    let publicEndpoint = Endpoint(mapping.public, port)
    // A forward of the same private endpoint goes before it, and leads to it.
    let specific = findBinding(transport, private: Endpoint(mapping.private, port))
    if let specific, bindings.kind(of: last(from: specific)) == .dynamic {
      // From before the mapping: it is about to end, and its host has no second public endpoint until then.
      return nil
    }
    if specific == nil { guard forward.insert(privately, record: binding.rawValue) else { return nil } }
    // Where a forward has the public endpoint, that is the way in.
    if findBinding(transport, public: publicEndpoint) == nil {
      guard byPublic.insert(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue) else {
        if specific == nil { forward.remove(privately, record: binding.rawValue) }
        return nil
      }
    }
    takeExtra(binding)
    describeExtra(binding, transport, public: publicEndpoint)
    bindings.set(binding, 1, now.nanoseconds)
    bindings.set(binding, 2, UInt64(BindingStore.none) << 32)
    bindings.set(binding, 3, 0)
    bindings.words.release(
      BindingStore.describe(Endpoint(mapping.private, port), transport, .oneToOne),
      at: Int(binding.rawValue) * 4)
    if let specific { insertIntoChain(of: specific, binding) }
    counts.oneToOneBindings += 1
    return binding
  }

  mutating func endOneToOne(_ binding: BindingIndex) {
    unindexOneToOne(binding)
    freeOneToOneBinding(binding)
  }

  private func unindexOneToOne(_ binding: BindingIndex) {
    let transport = bindings.transport(of: binding)
    unindexPrivate(binding, transport, bindings.privateEndpoint(of: binding))
    byPublic.remove(
      hash.ofPublic(transport, bindings.publicEndpoint(of: binding)), record: binding.rawValue)
  }

  /// Takes a 1:1 or dynamic binding from its private endpoint: it stands alone, or behind the endpoint's forwards.
  func unindexPrivate(_ binding: BindingIndex, _ transport: TransportProtocol, _ endpoint: Endpoint) {
    if forward.remove(hash.ofPrivate(transport, endpoint), record: binding.rawValue) { return }
    var at = findBinding(transport, private: endpoint)
    while let before = at {
      at = forward(after: before)
      if at == binding { return bindings.setLow(before, 3, 0) }
    }
  }

  private mutating func freeOneToOneBinding(_ binding: BindingIndex) {
    bindings.words.release(0, at: Int(binding.rawValue) * 4)
    giveBackExtra(binding)
    counts.oneToOneBindings -= 1
  }

  // MARK: Places behind the pool's

  private var nextExtra: BindingIndex? {
    if freeExtra != 0 { return BindingIndex(freeExtra - 1) }
    return freshExtra < extraCount ? BindingIndex(firstExtra + freshExtra) : nil
  }

  /// - Precondition: it is ``nextExtra``.
  private mutating func takeExtra(_ binding: BindingIndex) {
    if freeExtra != 0 { freeExtra = bindings.low(binding, 3) } else { freshExtra += 1 }
  }

  private mutating func giveBackExtra(_ binding: BindingIndex) {
    bindings.set(binding, 3, UInt64(freeExtra))
    freeExtra = binding.rawValue + 1
  }

  private func describeExtra(_ binding: BindingIndex, _ transport: TransportProtocol, public: Endpoint) {
    bindings.extraPublic[Int(binding.rawValue) - bindings.directCount] =
      UInt64(`public`.address.rawValue) << 32 | UInt64(`public`.port) << 16 | UInt64(transport.rawValue) << 8
  }
}
