import NATMemory
public import NATWire

/// Ends bindings in steps: first no packet finds them any more, then their sessions end.
extension Shard {
  /// A binding that no packet finds any more. Its sessions are about to end.
  public struct Closing: BitwiseCopyable, Sendable {
    public let binding: BindingIndex
    let kind: BindingKind
    let reason: EndReason
  }

  /// Removes a live binding from every index. Its sessions still live.
  /// - Complexity: O(1); O(port forwards) for a port forward.
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

  /// Returns a public port to the 1:1 mapping that the port forward covered (ST-4).
  private func exposeOneToOne(_ transport: TransportProtocol, _ publicEndpoint: Endpoint) {
    guard let mapping = oneToOne(public: publicEndpoint.address),
      let binding = findOneToOne(transport, mapping, port: publicEndpoint.port)
    else { return }
    _ = byPublic.insert(hash.ofPublic(transport, publicEndpoint), record: binding.rawValue)
  }

  /// Ends sessions of a closed binding. The binding ends with the last one.
  ///
  /// - Parameter limit: how many sessions may end now; it falls by the number that ended.
  /// - Returns: whether the binding has ended.
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
