import NATMemory
public import NATWire

/// Bindings that end in steps: first no packet finds them any more, then their sessions end.
extension Shard {
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
    case .portForward:
      takeOut(of: hash.ofPrivate(transport, endpoint), binding)
      byPublic.remove(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue)
      table.portForwardList.remove(PortForward(transport, public: publicEndpoint, private: endpoint))
      portForwardCount -= 1
      if let terms = bindings.terms(of: binding) {
        portForwardTerms.remove(terms, isNoted: reason.isByItself)
      }
    case .oneToOne: unindexOneToOne(binding)
    case .dynamic: unindexPrivate(binding, transport, endpoint)
    case .free, .held, .closing: break
    }
    bindings.publish(binding, endpoint, transport, .closing)
    if kind == .portForward { exposeOneToOne(transport, publicEndpoint) }
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
  /// - Parameter limit: how many may end now, less those that ended.
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
    case .portForward:
      if closing.reason.isByItself, subscribers.contains(.events) {
        note(.bindingEnded, binding, at: now, because: closing.reason)
      }
      bindings.clear(binding)
      if Int(binding.rawValue) < bindings.directCount {
        releasePort(of: binding)
      } else {
        giveBackExtra(binding)
      }
    case .free, .held, .closing: break
    }
    return true
  }
}
