import NATMemory
public import NATWire

/// 1:1 mappings, and a binding for each of their ports that has sessions.
extension Shard {
  /// Adds a 1:1 mapping. False, with nothing changed, if there is no room or an address has a mapping
  /// already.
  ///
  /// The caller then ends the dynamic bindings of the inside host, which uses only its own public address
  /// from now on.
  /// - Complexity: O(1).
  public mutating func addOneToOne(_ mapping: OneToOneMapping) -> Bool {
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

  /// Removes a 1:1 mapping: packets make no more bindings of it. The caller ends those that live.
  /// - Complexity: O(1).
  public mutating func removeOneToOne(_ mapping: OneToOneMapping) -> Bool {
    let found = oneToOneByPublic.find(hash.ofAddress(mapping.public)) { oneToOne[$0] == mapping }
    guard let record = found else { return false }
    oneToOneByPublic.remove(hash.ofAddress(mapping.public), record: record)
    oneToOneByPrivate.remove(hash.ofAddress(mapping.private), record: record)
    oneToOne[record] = OneToOneMapping(public: .any, private: IPv4Address(freeOneToOne))
    freeOneToOne = record + 1
    return true
  }

  /// The 1:1 mapping of a public address.
  public func oneToOne(public address: IPv4Address) -> OneToOneMapping? {
    oneToOneByPublic.find(hash.ofAddress(address)) { oneToOne[$0].public == address }.map { oneToOne[$0] }
  }

  /// The 1:1 mapping of an inside host.
  public func oneToOne(private address: IPv4Address) -> OneToOneMapping? {
    oneToOneByPrivate.find(hash.ofAddress(address)) { oneToOne[$0].private == address }.map { oneToOne[$0] }
  }

  /// The binding of one port of a 1:1 mapping, while it has sessions. The search uses the private endpoint,
  /// because a port forward may have the same public endpoint.
  public func findOneToOne(
    _ transport: TransportProtocol, _ mapping: OneToOneMapping, port: UInt16
  ) -> BindingIndex? {
    var at = findBinding(transport, private: Endpoint(mapping.private, port))
    while let binding = at, bindings.kind(of: binding) != .oneToOne { at = nextBinding(after: binding) }
    return at
  }

  /// Makes the binding for one port of a 1:1 mapping; nil if there is no place. The places of port forwards
  /// stay free.
  public mutating func insertOneToOne(
    _ transport: TransportProtocol, _ mapping: OneToOneMapping, port: UInt16, at now: Instant
  ) -> BindingIndex? {
    guard counts.oneToOneBindings < extraCount - table.capacity.forwards, let binding = nextExtra else {
      return nil
    }
    let privately = hash.ofPrivate(transport, Endpoint(mapping.private, port))
    let publicEndpoint = Endpoint(mapping.public, port)
    // A port forward of the same private endpoint comes first and links to this binding.
    let specific = findBinding(transport, private: Endpoint(mapping.private, port))
    if let specific, bindings.kind(of: last(from: specific)) == .dynamic {
      // It is older than the mapping and about to end. Until then its host gets no second public endpoint.
      return nil
    }
    if specific == nil { guard byPrivate.insert(privately, record: binding.rawValue) else { return nil } }
    // If a port forward has the public endpoint, inbound packets use the port forward.
    if findBinding(transport, public: publicEndpoint) == nil {
      guard byPublic.insert(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue) else {
        if specific == nil { byPrivate.remove(privately, record: binding.rawValue) }
        return nil
      }
    }
    takeExtra(binding)
    bindings.setExtraPublic(publicEndpoint, transport, of: binding)
    bindings.begin(binding, at: now)
    bindings.publish(binding, Endpoint(mapping.private, port), transport, .oneToOne)
    if let specific { insertIntoChain(of: specific, binding) }
    counts.oneToOneBindings += 1
    return binding
  }

  mutating func endOneToOne(_ binding: BindingIndex) {
    unindexOneToOne(binding)
    freeOneToOneBinding(binding)
  }

  func unindexOneToOne(_ binding: BindingIndex) {
    let transport = bindings.transport(of: binding)
    unindexPrivate(binding, transport, bindings.privateEndpoint(of: binding))
    byPublic.remove(
      hash.ofPublic(transport, bindings.publicEndpoint(of: binding)), record: binding.rawValue)
  }

  /// Removes a 1:1 or dynamic binding from its private endpoint: it is the only one, or follows the port
  /// forwards.
  func unindexPrivate(_ binding: BindingIndex, _ transport: TransportProtocol, _ endpoint: Endpoint) {
    if byPrivate.remove(hash.ofPrivate(transport, endpoint), record: binding.rawValue) { return }
    var at = findBinding(transport, private: endpoint)
    while let before = at {
      at = nextBinding(after: before)
      if at == binding { return bindings.setNext(nil, after: before) }
    }
  }

  mutating func freeOneToOneBinding(_ binding: BindingIndex) {
    bindings.clear(binding)
    giveBackExtra(binding)
    counts.oneToOneBindings -= 1
  }
}
