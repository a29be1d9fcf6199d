import Synchronization

/// A bound on how much of something goes on at a time.
final class Slots: Sendable {
  private let free: Mutex<Int>

  init(_ count: Int) { free = Mutex(count) }

  /// Nil where all are taken.
  func take() -> Slot? {
    let isTaken = free.withLock { free in
      guard free > 0 else { return false }
      free -= 1
      return true
    }
    return isTaken ? Slot(self) : nil
  }

  /// One of them; whoever lets go of it gives it back.
  final class Slot: Sendable {
    private let slots: Slots

    fileprivate init(_ slots: Slots) { self.slots = slots }

    deinit { slots.free.withLock { $0 += 1 } }
  }
}
