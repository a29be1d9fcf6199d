import NATMemory
import NATWire

/// Ports in hold-down: after its binding has ended, a port goes only to the inside host that had it, until its hold-down
/// is over (RFC 6888 REQ-8).
///
/// A queue holds them in the order in which they become free, which is the order in which they were released. Beside it,
/// each host has search trees of its own ports: one for each pool address, protocol, class and parity, so that the
/// lowest port of any kind is found without a walk. All links are in the binding records themselves.
///
/// The trees are digital search trees. A node at depth `d` has all ports below it that share its first `d` bits; the
/// next bit says on which side. So no tree is deeper than 17 nodes, whatever is added and removed in whatever order. The
/// roots of a host and address stand in one of 65,536 lists, chosen by a hash.
///
/// - Complexity: adding, removing and ``ownLowest(of:poolAddress:_:_:_:)`` take at most 17 steps for each tree, besides
///   the roots that share a list.
struct RestingPorts: ~Copyable {
  private let bindings: BindingStore
  /// The first root of each list: its number plus one, so that fresh memory means empty.
  private let roots: OwnedArray<UInt32>
  private let hash: KeyHash
  private var first = BindingStore.none
  private var last = BindingStore.none

  static let chainCount = 65536

  init(bindings: BindingStore, chains: MappedMemory, hash: KeyHash) {
    self.bindings = bindings
    roots = chains.array(of: UInt32.self, count: RestingPorts.chainCount)
    self.hash = hash
  }

  /// When the first port becomes free, or never.
  var nextFree: Instant {
    first == BindingStore.none ? .never : bindings.instant(of: BindingIndex(first))
  }

  /// Holds a port until `instant`, or until the one that was added before it is free, if that is later: the queue is in
  /// the order of time, also when hold-downs have become shorter.
  ///
  /// - Parameter isOffered: whether the pool still offers the port, so that its host may have it again.
  mutating func add(_ binding: BindingIndex, until due: Instant, isOffered: Bool = true) {
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
    setNode(binding, HeldNode())
    if isOffered { addToTree(binding) }
  }

  /// Takes a port out of the queue and its tree. What its record then holds is the caller's.
  mutating func remove(_ binding: BindingIndex) {
    let next = bindings.high(binding, 2)
    let previous = bindings.low(binding, 2)
    if previous == BindingStore.none {
      first = next
    } else {
      bindings.setHigh(BindingIndex(previous), 2, next)
    }
    if next == BindingStore.none { last = previous } else { bindings.setLow(BindingIndex(next), 2, previous) }
    removeFromTree(binding)
  }

  /// The first port whose hold-down is over at `now`, taken out.
  mutating func popFree(at now: Instant) -> BindingIndex? {
    guard first != BindingStore.none, nextFree <= now else { return nil }
    let binding = BindingIndex(first)
    remove(binding)
    return binding
  }

  /// The pool offers a held port again, or offers it no longer.
  func setOffered(_ binding: BindingIndex, _ isOffered: Bool) {
    guard node(binding).isInTree != isOffered else { return }
    if isOffered { addToTree(binding) } else { removeFromTree(binding) }
  }

  /// Whether the port is in hold-down and `host` had it last.
  func isOwn(_ binding: BindingIndex, of host: IPv4Address) -> Bool {
    bindings.kind(of: binding) == .resting && bindings.privateEndpoint(of: binding).address == host
  }

  /// The lowest held port of the class and parity that `host` itself had, among those that are offered.
  func ownLowest(
    of host: IPv4Address, poolAddress: Int, _ transport: TransportProtocol, _ portClass: PortMap.Class,
    _ parity: PortMap.Parity
  ) -> UInt16? {
    let anyPort = bindings.direct(poolAddress: poolAddress, transport, port: 0)
    var lowest: UInt16?
    var at = roots[list(of: host, anyPort)]
    while at != 0 {
      let root = BindingIndex(at - 1)
      at = node(root).above
      // All ports of a tree are of the class and parity of its root.
      let port = UInt16(truncatingIfNeeded: root.rawValue)
      guard root.rawValue >> 16 == anyPort.rawValue >> 16,
        bindings.privateEndpoint(of: root).address == host,
        portClass.words.contains(Int(port >> 6)),
        parity == .any || (parity == .even) == (port & 1 == 0)
      else { continue }
      lowest = min(lowest ?? .max, self.lowest(below: root))
    }
    return lowest
  }

  // MARK: Trees

  private func node(_ binding: BindingIndex) -> HeldNode { HeldNode(word: bindings.word(binding, 3)) }

  private func setNode(_ binding: BindingIndex, _ node: HeldNode) { bindings.set(binding, 3, node.word) }

  /// The list in which the roots of a host's trees on the binding's pool address and protocol stand.
  private func list(of host: IPv4Address, _ binding: BindingIndex) -> Int {
    Int(hash(UInt64(host.rawValue) << 32 | UInt64(binding.rawValue >> 16), 6) >> 48)
  }

  /// The binding of another port on the same pool address and protocol.
  private func beside(_ binding: BindingIndex, _ port: UInt16) -> BindingIndex {
    BindingIndex(binding.rawValue & ~0xFFFF | UInt32(port))
  }

  /// A node stands among all that share the bits which led to it, so the lowest lies on the way down the lower sides.
  private func lowest(below root: BindingIndex) -> UInt16 {
    var lowest = UInt16.max
    var at: UInt16? = UInt16(truncatingIfNeeded: root.rawValue)
    while let port = at {
      lowest = min(lowest, port)
      let node = node(beside(root, port))
      at = node.lower ?? node.upper
    }
    return lowest
  }

  private func addToTree(_ binding: BindingIndex) {
    let port = UInt16(truncatingIfNeeded: binding.rawValue)
    let host = bindings.privateEndpoint(of: binding).address
    let list = list(of: host, binding)
    guard var at = root(like: binding, of: host, in: list) else {
      setNode(binding, HeldNode(rootBefore: roots[list]))
      roots[list] = binding.rawValue + 1
      return
    }
    var bit: UInt16 = 0x8000
    while true {
      var node = node(at)
      guard let below = node[side(port, bit)] else {
        node[side(port, bit)] = port
        setNode(at, node)
        setNode(binding, HeldNode(below: UInt16(truncatingIfNeeded: at.rawValue)))
        return
      }
      at = beside(binding, below)
      bit >>= 1
    }
  }

  /// The root of the tree for the host, pool address, protocol, class and parity of a port.
  private func root(like binding: BindingIndex, of host: IPv4Address, in list: Int) -> BindingIndex? {
    func kind(_ binding: BindingIndex) -> (UInt32, Bool, UInt32) {
      (binding.rawValue >> 16, binding.rawValue & 0xFFFF < 1024, binding.rawValue & 1)
    }
    var at = roots[list]
    while at != 0 {
      let root = BindingIndex(at - 1)
      if kind(root) == kind(binding), bindings.privateEndpoint(of: root).address == host { return root }
      at = node(root).above
    }
    return nil
  }

  /// Any leaf below a node may take its place: it shares the bits that lead there.
  private func removeFromTree(_ binding: BindingIndex) {
    var node = node(binding)
    guard node.isInTree else { return }
    var heir: UInt16?
    var below = node.lower ?? node.upper
    while let port = below {
      heir = port
      let next = self.node(beside(binding, port))
      below = next.lower ?? next.upper
    }
    if let heir {
      unlinkLeaf(beside(binding, heir))
      node = self.node(binding)
      setNode(beside(binding, heir), node)
      for port in [node.lower, node.upper] {
        guard let port else { continue }
        var child = self.node(beside(binding, port))
        child.above = UInt32(heir) + 1
        setNode(beside(binding, port), child)
      }
    }
    replace(binding, node, with: heir)
    setNode(binding, HeldNode())
  }

  private func unlinkLeaf(_ leaf: BindingIndex) {
    let parent = beside(leaf, UInt16(truncatingIfNeeded: node(leaf).above - 1))
    var node = node(parent)
    let port = UInt16(truncatingIfNeeded: leaf.rawValue)
    if node.lower == port { node.lower = nil } else { node.upper = nil }
    setNode(parent, node)
  }

  /// Lets what led to a node lead to another, or to none.
  private func replace(_ binding: BindingIndex, _ node: HeldNode, with heir: UInt16?) {
    guard node.isRoot else {
      let parent = beside(binding, UInt16(truncatingIfNeeded: node.above - 1))
      var above = self.node(parent)
      let port = UInt16(truncatingIfNeeded: binding.rawValue)
      if above.lower == port { above.lower = heir } else { above.upper = heir }
      return setNode(parent, above)
    }
    let list = list(of: bindings.privateEndpoint(of: binding).address, binding)
    let new = heir.map { beside(binding, $0).rawValue + 1 } ?? node.above
    if roots[list] == binding.rawValue + 1 {
      roots[list] = new
      return
    }
    var before = BindingIndex(roots[list] - 1)
    while self.node(before).above != binding.rawValue + 1 {
      before = BindingIndex(self.node(before).above - 1)
    }
    var link = self.node(before)
    link.above = new
    setNode(before, link)
  }

  private func side(_ port: UInt16, _ bit: UInt16) -> HeldNode.Side { port & bit == 0 ? .lower : .upper }
}

/// The links of a held port in its tree, in one word: lower:17, upper:17, above:29, root:1.
///
/// `lower` and `upper` are ports plus one. `above` is the parent's port plus one. A root has no parent: there `above` is
/// the next root of the list, its number plus one.
private struct HeldNode {
  enum Side { case lower, upper }

  private(set) var word: UInt64

  private static let link: UInt64 = 0x1_FFFF
  private static let rootBit: UInt64 = 1 << 63

  /// In no tree.
  init() { word = 0 }
  init(word: UInt64) { self.word = word }
  init(rootBefore next: UInt32) { word = HeldNode.rootBit | UInt64(next) << 34 }
  init(below parent: UInt16) { word = (UInt64(parent) + 1) << 34 }

  var isRoot: Bool { word & HeldNode.rootBit != 0 }
  var isInTree: Bool { word >> 34 != 0 }

  var above: UInt32 {
    get { UInt32(truncatingIfNeeded: word >> 34 & 0x1FFF_FFFF) }
    set { word = word & (HeldNode.rootBit | (1 << 34 - 1)) | UInt64(newValue) << 34 }
  }

  var lower: UInt16? {
    get { self[.lower] }
    set { self[.lower] = newValue }
  }

  var upper: UInt16? {
    get { self[.upper] }
    set { self[.upper] = newValue }
  }

  subscript(side: Side) -> UInt16? {
    get {
      let link = word >> (side == .lower ? 0 : 17) & HeldNode.link
      return link == 0 ? nil : UInt16(truncatingIfNeeded: link - 1)
    }
    set {
      let shift: UInt64 = side == .lower ? 0 : 17
      word = word & ~(HeldNode.link << shift) | (newValue.map { UInt64($0) + 1 } ?? 0) << shift
    }
  }
}
