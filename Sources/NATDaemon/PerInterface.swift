import NATWire

/// At most one element for each interface of the gateway.
struct PerInterface<Element: ~Copyable>: ~Copyable {
  private var elements: InlineArray<64, Element?>

  init() {
    precondition(InterfaceIndex.limit <= 64)
    elements = InlineArray { _ in nil }
  }

  subscript(index: InterfaceIndex) -> Element? {
    _read { yield elements[index.place] }
    _modify { yield &elements[index.place] }
  }
}

extension PerInterface: @unchecked Sendable where Element: Sendable & ~Copyable {}

extension InterfaceIndex {
  /// All interfaces: one on each side.
  static let all = Side.allCases.map { InterfaceIndex($0) }

  init(_ side: Side) { self.init(side.rawValue) }

  /// The side of the interface.
  var side: Side { rawValue == Side.inside.rawValue ? .inside : .outside }
}
