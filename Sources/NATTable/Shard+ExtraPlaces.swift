/// Places of bindings on public addresses outside the pool. Free places form a list.
extension Shard {
  /// The place that the next binding outside the pool takes.
  var nextExtra: BindingIndex? {
    if freeExtra != 0 { return BindingIndex(freeExtra - 1) }
    return freshExtra < extraCount ? BindingIndex(firstExtra + freshExtra) : nil
  }

  /// - Precondition: it is ``nextExtra``.
  mutating func takeExtra(_ binding: BindingIndex) {
    if freeExtra != 0 {
      freeExtra = bindings.next(after: binding).map { $0.rawValue + 1 } ?? 0
    } else {
      freshExtra += 1
    }
  }

  mutating func giveBackExtra(_ binding: BindingIndex) {
    bindings.setNext(freeExtra == 0 ? nil : BindingIndex(freeExtra - 1), after: binding)
    freeExtra = binding.rawValue + 1
  }
}
