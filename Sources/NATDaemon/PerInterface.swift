import NATWire

/// At most one element for each interface of the gateway.
struct PerInterface<Element: ~Copyable>: ~Copyable {
  private var elements: InlineArray<64, Element?>
  /// The interfaces that have or had an element, in the order of their indices.
  private(set) var indices: [InterfaceIndex] = []

  init() {
    precondition(InterfaceIndex.limit == 64)
    elements = InlineArray { _ in nil }
  }

  /// The element of an interface; ``insert(_:at:)`` sets it.
  subscript(index: InterfaceIndex) -> Element? {
    _read { yield elements[index.place] }
    _modify { yield &elements[index.place] }
  }

  mutating func insert(_ element: consuming Element, at index: InterfaceIndex) {
    elements[index.place] = .some(element)
    guard !indices.contains(index) else { return }
    indices.append(index)
    indices.sort { $0.place < $1.place }
  }
}

extension PerInterface: @unchecked Sendable where Element: Sendable & ~Copyable {}
