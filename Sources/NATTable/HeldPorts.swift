import NATMemory
import NATWire

/// Ports in hold-down (RFC 6888 REQ-8): until it is over, only the host that had a port may have it again.
///
/// A queue holds the ports in the order in which they become free. Each host also has search trees of its own
/// ports: one for each pool address, protocol, class and parity. They find the lowest port of any kind. All
/// links are in the binding records.
///
/// The trees are digital search trees. All ports below a node at depth `d` share its first `d` bits; the next
/// bit chooses the side. So no tree is deeper than 17 nodes. The roots are in 65,536 lists, chosen by a hash
/// of host and pool address.
///
/// - Complexity: adding, removing and ``ownLowest(of:poolAddress:_:_:_:)`` take at most 17 steps for each
///   tree, plus the roots in the same list.
struct HeldPorts: ~Copyable {
  private let bindings: BindingStore
  /// The first root of each list: its number plus one, so that zeroed memory means empty.
  private let roots: OwnedArray<UInt32>
  private let hash: KeyHash
  private var first = BindingStore.none
  private var last = BindingStore.none

  static let listCount = 65536

  init(bindings: BindingStore, roots memory: MappedMemory, hash: KeyHash) {
    self.bindings = bindings
    roots = memory.array(of: UInt32.self, count: HeldPorts.listCount)
    self.hash = hash
  }

  /// When the first port becomes free, or never.
  var nextFree: Instant {
    first == BindingStore.none ? .never : bindings.instant(of: BindingIndex(first))
  }

  /// Holds a port until `instant`, or until the port before it in the queue is free, if that is later. So the
  /// queue stays in the order of time when the hold-down becomes shorter.
  ///
  /// - Parameter isOffered: whether the pool still offers the port, so that its host may have it again.
  mutating func add(_ binding: BindingIndex, until due: Instant, isOffered: Bool = true) {
    let instant = last == BindingStore.none ? due : max(due, bindings.instant(of: BindingIndex(last)))
    let owner = bindings.privateEndpoint(of: binding)
    bindings.begin(binding, at: instant)
    bindings.publish(binding, owner, bindings.transport(of: binding), .held)
    bindings.setPreviousHeld(last, of: binding)
    if last == BindingStore.none {
      first = binding.rawValue
    } else {
      bindings.setNextHeld(binding.rawValue, of: BindingIndex(last))
    }
    last = binding.rawValue
    if isOffered { addToTree(binding) }
  }

  /// Removes a port from the queue and its tree. The caller then writes its record.
  mutating func remove(_ binding: BindingIndex) {
    let next = bindings.nextHeld(of: binding)
    let previous = bindings.previousHeld(of: binding)
    if previous == BindingStore.none {
      first = next
    } else {
      bindings.setNextHeld(next, of: BindingIndex(previous))
    }
    if next == BindingStore.none {
      last = previous
    } else {
      bindings.setPreviousHeld(previous, of: BindingIndex(next))
    }
    removeFromTree(binding)
  }

  /// Removes and returns the first port whose hold-down is over at `now`.
  mutating func popFree(at now: Instant) -> BindingIndex? {
    guard first != BindingStore.none, nextFree <= now else { return nil }
    let binding = BindingIndex(first)
    remove(binding)
    return binding
  }

  /// Notes that the pool offers a held port again, or no longer.
  func setOffered(_ binding: BindingIndex, _ isOffered: Bool) {
    guard node(binding).isInTree != isOffered else { return }
    if isOffered { addToTree(binding) } else { removeFromTree(binding) }
  }

  /// Whether the port is in hold-down and `host` had it last.
  func isOwn(_ binding: BindingIndex, of host: IPv4Address) -> Bool {
    bindings.kind(of: binding) == .held && bindings.privateEndpoint(of: binding).address == host
  }

  /// The lowest offered port of the class and parity that `host` has in hold-down.
  func ownLowest(
    of host: IPv4Address, poolAddress: Int, _ transport: TransportProtocol, _ portClass: PortMap.Class,
    _ parity: PortMap.Parity
  ) -> UInt16? {
    let anyPort = PortSpace(poolPlace: poolAddress, transport).binding(0)
    var lowest: UInt16?
    var at = roots[list(of: host, anyPort)]
    while at != 0 {
      let root = BindingIndex(at - 1)
      at = node(root).above
      // All ports of a tree have the class and parity of its root.
      let port = root.poolPort
      guard PortSpace(of: root) == PortSpace(of: anyPort),
        bindings.privateEndpoint(of: root).address == host,
        portClass.words.contains(Int(port >> 6)),
        parity == .any || (parity == .even) == (port & 1 == 0)
      else { continue }
      lowest = min(lowest ?? .max, self.lowest(below: root))
    }
    return lowest
  }

  // MARK: Trees

  private func node(_ binding: BindingIndex) -> HeldNode { bindings.heldNode(of: binding) }

  private func setNode(_ binding: BindingIndex, _ node: HeldNode) { bindings.setHeldNode(node, of: binding) }

  /// The list with the roots of a host's trees for the binding's pool address and protocol.
  private func list(of host: IPv4Address, _ binding: BindingIndex) -> Int {
    Int(hash(UInt64(host.rawValue) << 32 | UInt64(binding.rawValue >> 16), 6) >> 48)
  }

  /// The binding of another port on the same pool address and protocol.
  private func beside(_ binding: BindingIndex, _ port: UInt16) -> BindingIndex {
    PortSpace(of: binding).binding(port)
  }

  /// The lowest port of a tree lies on the path that always takes the lower side if there is one.
  private func lowest(below root: BindingIndex) -> UInt16 {
    var lowest = UInt16.max
    var at: UInt16? = root.poolPort
    while let port = at {
      lowest = min(lowest, port)
      let node = node(beside(root, port))
      at = node.lower ?? node.upper
    }
    return lowest
  }

  private func addToTree(_ binding: BindingIndex) {
    let port = binding.poolPort
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
        setNode(binding, HeldNode(below: at.poolPort))
        return
      }
      at = beside(binding, below)
      bit >>= 1
    }
  }

  /// The root of the tree for the host, pool address, protocol, class and parity of a port.
  private func root(like binding: BindingIndex, of host: IPv4Address, in list: Int) -> BindingIndex? {
    func kind(_ binding: BindingIndex) -> (Int, PortMap.Class, UInt16) {
      (PortSpace(of: binding).rawValue, PortMap.Class.of(binding.poolPort), binding.poolPort & 1)
    }
    var at = roots[list]
    while at != 0 {
      let root = BindingIndex(at - 1)
      if kind(root) == kind(binding), bindings.privateEndpoint(of: root).address == host { return root }
      at = node(root).above
    }
    return nil
  }

  /// Replaces a node by any leaf below it: the leaf shares the bits that lead there.
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
    let port = leaf.poolPort
    if node.lower == port { node.lower = nil } else { node.upper = nil }
    setNode(parent, node)
  }

  /// Changes the link to a node so that it leads to another node, or to none.
  private func replace(_ binding: BindingIndex, _ node: HeldNode, with heir: UInt16?) {
    guard node.isRoot else {
      let parent = beside(binding, UInt16(truncatingIfNeeded: node.above - 1))
      var above = self.node(parent)
      let port = binding.poolPort
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

extension BindingStore {
  fileprivate func nextHeld(of binding: BindingIndex) -> UInt32 { high(binding, .sessions) }

  fileprivate func setNextHeld(_ next: UInt32, of binding: BindingIndex) { setHigh(binding, .sessions, next) }

  fileprivate func previousHeld(of binding: BindingIndex) -> UInt32 { low(binding, .sessions) }

  fileprivate func setPreviousHeld(_ previous: UInt32, of binding: BindingIndex) {
    setLow(binding, .sessions, previous)
  }

  fileprivate func heldNode(of binding: BindingIndex) -> HeldNode {
    HeldNode(word: words[at(binding, .links)])
  }

  fileprivate func setHeldNode(_ node: HeldNode, of binding: BindingIndex) {
    words[at(binding, .links)] = node.word
  }
}

/// The links of a held port in its tree, in one word: lower:17, upper:17, above:29, root:1.
///
/// `lower` and `upper` are ports plus one. `above` is the parent's port plus one. A root has no parent: there
/// `above` is the next root of the list, its number plus one.
struct HeldNode {
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
