import Synchronization

/// Limits how many of something there are at a time.
final class Slots: Sendable {
  private let free: Mutex<Int>

  init(_ count: Int) { free = Mutex(count) }

  /// Takes a slot; nil if all are taken.
  func take() -> Slot? {
    let isTaken = free.withLock { free in
      guard free > 0 else { return false }
      free -= 1
      return true
    }
    return isTaken ? Slot(self) : nil
  }

  /// A slot. It is free again when the last reference ends.
  final class Slot: Sendable {
    private let slots: Slots

    fileprivate init(_ slots: Slots) { self.slots = slots }

    deinit { slots.free.withLock { $0 += 1 } }
  }
}
