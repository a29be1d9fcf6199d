public import NATWire

extension Shard {
  /// The forwards of this shard's hosts take their places before any dynamic binding can.
  mutating func installForwards(_ settings: TableSettings, taken: OwnedArray<UInt64>) {
    for mapping in forwards {
      // Whoever owns the port never hands it out.
      let pool = settings.pool.firstIndex { $0.address == mapping.public.address }
      if let pool {
        let base = (pool * 3 + Int(mapping.transport.rawValue)) * PortMap.mapWords
        taken[base + Int(mapping.public.port >> 6)] |= 1 << UInt64(mapping.public.port & 63)
      }
      guard table.owner(of: mapping.private.address) == worker else { continue }
      let binding: BindingIndex
      if let pool {
        binding = bindings.direct(poolAddress: pool, mapping.transport, port: mapping.public.port)
      } else {
        binding = BindingIndex(firstExtra + freshExtra)
        freshExtra += 1
        describeExtra(binding, mapping.transport, public: mapping.public)
        let isIndexed = byPublic.insert(
          hash.ofPublic(mapping.transport, mapping.public), record: binding.rawValue)
        precondition(isIndexed, "the index of public endpoints has room for the forwards")
      }
      bindings.set(binding, 2, UInt64(BindingStore.none) << 32)
      bindings.set(binding, 3, 0)
      bindings.words.release(
        BindingStore.describe(mapping.private, mapping.transport, .forward), at: Int(binding.rawValue) * 4)
      if let first = findBinding(mapping.transport, private: mapping.private) {
        // Another forward of the same private endpoint: the chain keeps the order of the configuration.
        appendToChain(of: first, binding)
      } else {
        let isIndexed = forward.insert(
          hash.ofPrivate(mapping.transport, mapping.private), record: binding.rawValue)
        precondition(isIndexed, "the index of private endpoints has room for the forwards")
      }
    }
  }

  private func appendToChain(of first: BindingIndex, _ binding: BindingIndex) {
    var last = first
    while bindings.low(last, 3) != 0 { last = BindingIndex(bindings.low(last, 3) - 1) }
    bindings.setLow(last, 3, binding.rawValue + 1)
  }

  /// Static forwards in this shard's table, all of them for one worker.
  public var forwardCount: Int { forwards.count }

  /// The next forward of the same private endpoint, in the order of the configuration; behind the last one the 1:1
  /// binding of that endpoint, while there is one.
  public func forward(after binding: BindingIndex) -> BindingIndex? {
    guard bindings.kind(of: binding) == .forward else { return nil }
    let next = bindings.low(binding, 3)
    return next == 0 ? nil : BindingIndex(next - 1)
  }

  /// The 1:1 mapping of a public address.
  public func oneToOne(public address: IPv4Address) -> StaticAddress? {
    oneToOneByPublic.find(hash.ofAddress(address)) { oneToOne[Int($0)].public == address }
      .map { oneToOne[Int($0)] }
  }

  /// The 1:1 mapping of an inside host.
  public func oneToOne(private address: IPv4Address) -> StaticAddress? {
    oneToOneByPrivate.find(hash.ofAddress(address)) { oneToOne[Int($0)].private == address }
      .map { oneToOne[Int($0)] }
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

  /// Makes the binding for one port of a 1:1 mapping; nil if there is no place.
  public mutating func insertOneToOne(
    _ transport: TransportProtocol, _ mapping: StaticAddress, port: UInt16, at now: Instant
  ) -> BindingIndex? {
    let place: Int
    if freeExtra != 0 {
      place = Int(freeExtra) - 1
    } else {
      guard freshExtra < extraCount else { return nil }
      place = firstExtra + freshExtra
    }
    let binding = BindingIndex(place)
    let privately = hash.ofPrivate(transport, Endpoint(mapping.private, port))
    let publicly = hash.ofPublic(transport, Endpoint(mapping.public, port))
    // A forward of the same private endpoint goes before it, and leads to it.
    let specific = findBinding(transport, private: Endpoint(mapping.private, port))
    if specific == nil { guard forward.insert(privately, record: binding.rawValue) else { return nil } }
    guard byPublic.insert(publicly, record: binding.rawValue) else {
      if specific == nil { forward.remove(privately, record: binding.rawValue) }
      return nil
    }
    if let specific { appendToChain(of: specific, binding) }
    if freeExtra != 0 { freeExtra = bindings.low(binding, 3) } else { freshExtra += 1 }
    describeExtra(binding, transport, public: Endpoint(mapping.public, port))
    bindings.set(binding, 1, now.nanoseconds)
    bindings.set(binding, 2, UInt64(BindingStore.none) << 32)
    bindings.set(binding, 3, 0)
    bindings.words.release(
      BindingStore.describe(Endpoint(mapping.private, port), transport, .oneToOne),
      at: Int(binding.rawValue) * 4)
    counts.oneToOneBindings += 1
    return binding
  }

  mutating func endOneToOne(_ binding: BindingIndex) {
    let transport = bindings.transport(of: binding)
    let endpoint = bindings.privateEndpoint(of: binding)
    if !forward.remove(hash.ofPrivate(transport, endpoint), record: binding.rawValue),
      var before = findBinding(transport, private: endpoint)
    {
      // It stands last in the chain of the endpoint's forwards.
      while let next = forward(after: before), next != binding { before = next }
      bindings.setLow(before, 3, 0)
    }
    byPublic.remove(
      hash.ofPublic(transport, bindings.publicEndpoint(of: binding)), record: binding.rawValue)
    bindings.words.release(0, at: Int(binding.rawValue) * 4)
    bindings.set(binding, 3, UInt64(freeExtra))
    freeExtra = binding.rawValue + 1
    counts.oneToOneBindings -= 1
  }

  private func describeExtra(_ binding: BindingIndex, _ transport: TransportProtocol, public: Endpoint) {
    bindings.extraPublic[Int(binding.rawValue) - bindings.directCount] =
      UInt64(`public`.address.rawValue) << 32 | UInt64(`public`.port) << 16 | UInt64(transport.rawValue) << 8
  }
}
