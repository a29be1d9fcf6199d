import NATWire

/// Freed ports that only their last host may have until their rest is over (RFC 6888 REQ-8).
///
/// They stand in a queue by the time at which they are free, which is the order in which they were freed, and in a
/// short chain for their host, so that it finds its own again. The links are in the bindings themselves.
///
/// - Complexity: adding and removing O(1); ``ownLowest(of:poolAddress:_:_:_:)`` O(resting ports of the host).
struct RestingPorts: ~Copyable {
  private let bindings: BindingStore
  private let chains: OwnedArray<UInt32>
  private let hash: KeyHash
  private var first = BindingStore.none
  private var last = BindingStore.none

  static let chainCount = 65536

  init(bindings: BindingStore, chains: MappedMemory, hash: KeyHash) {
    self.bindings = bindings
    self.chains = chains.array(of: UInt32.self, count: RestingPorts.chainCount)
    self.hash = hash
    // A chain holds binding numbers plus one, so that fresh memory means empty.
  }

  /// When the first port becomes free, or never.
  var nextFree: Instant {
    first == BindingStore.none ? .never : bindings.instant(of: BindingIndex(first))
  }

  /// Lets a binding's place rest until `instant`, or until the one that was added before it is free, if that is later:
  /// the queue is in the order of time, also when rests have become shorter.
  mutating func add(_ binding: BindingIndex, until due: Instant) {
    let instant = last == BindingStore.none ? due : max(due, bindings.instant(of: BindingIndex(last)))
    let owner = bindings.privateEndpoint(of: binding)
    bindings.set(binding, 0, BindingStore.describe(owner, bindings.transport(of: binding), .resting))
    bindings.set(binding, 1, instant.nanoseconds)
    bindings.set(binding, 2, UInt64(BindingStore.none) << 32 | UInt64(last))
    if last == BindingStore.none {
      first = binding.rawValue
    } else {
      bindings.setHigh(BindingIndex(last), 2, binding.rawValue)
    }
    last = binding.rawValue
    let chain = chain(of: owner.address, binding)
    let head = chains[chain]
    bindings.set(binding, 3, UInt64(head) << 32)
    if head != 0 { bindings.setLow(BindingIndex(head - 1), 3, binding.rawValue + 1) }
    chains[chain] = binding.rawValue + 1
  }

  /// Takes a place out of the queue and its chain; what it then holds is the caller's.
  mutating func remove(_ binding: BindingIndex) {
    let next = bindings.high(binding, 2)
    let previous = bindings.low(binding, 2)
    if previous == BindingStore.none {
      first = next
    } else {
      bindings.setHigh(BindingIndex(previous), 2, next)
    }
    if next == BindingStore.none { last = previous } else { bindings.setLow(BindingIndex(next), 2, previous) }
    let chainNext = bindings.high(binding, 3)
    let chainPrevious = bindings.low(binding, 3)
    if chainPrevious == 0 {
      chains[chain(of: bindings.privateEndpoint(of: binding).address, binding)] = chainNext
    } else {
      bindings.setHigh(BindingIndex(chainPrevious - 1), 3, chainNext)
    }
    if chainNext != 0 { bindings.setLow(BindingIndex(chainNext - 1), 3, chainPrevious) }
  }

  /// The first port whose rest is over at `now`, taken out.
  mutating func popFree(at now: Instant) -> BindingIndex? {
    guard first != BindingStore.none, nextFree <= now else { return nil }
    let binding = BindingIndex(first)
    remove(binding)
    return binding
  }

  /// The lowest resting port of the class and parity that `host` itself had, and that is still offered.
  func ownLowest(
    of host: IPv4Address, poolAddress: Int, _ transport: TransportProtocol, _ portClass: PortMap.Class,
    _ parity: PortMap.Parity, offeredBy map: PortMap? = nil
  ) -> UInt16? {
    let anyPort = bindings.direct(poolAddress: poolAddress, transport, port: 0)
    var at = chains[chain(of: host, anyPort)]
    var lowest: UInt16?
    while at != 0 {
      let binding = BindingIndex(at - 1)
      at = bindings.high(binding, 3)
      let port = UInt16(truncatingIfNeeded: binding.rawValue)
      guard binding.rawValue >> 16 == anyPort.rawValue >> 16,
        bindings.privateEndpoint(of: binding).address == host,
        portClass.words.contains(Int(port >> 6)),
        parity == .any || (parity == .even) == (port & 1 == 0), map?.isOffered(port) ?? true
      else { continue }
      lowest = min(lowest ?? .max, port)
    }
    return lowest
  }

  /// Whether the place rests and `host` had it last.
  func isOwn(_ binding: BindingIndex, of host: IPv4Address) -> Bool {
    bindings.kind(of: binding) == .resting && bindings.privateEndpoint(of: binding).address == host
  }

  private func chain(of host: IPv4Address, _ binding: BindingIndex) -> Int {
    Int(hash(UInt64(host.rawValue) << 32 | UInt64(binding.rawValue >> 16), 6) >> 48)
  }
}
