import Foundation
import Glibc
import Synchronization

/// Sends so many frames on a raw socket, so many a second, each changed from the one before it.
final class FrameFlood: Sendable {
  private let sent = Atomic(0)
  private let isOver = Atomic(false)
  private let isToStop = Atomic(false)

  /// - Parameter change: makes the frame of a number.
  init(
    _ tap: Tap, rate: Int, count: Int, _ frame: [UInt8],
    change: @escaping @Sendable (inout [UInt8], Int) -> Void
  ) {
    let descriptor = dup(tap.socket.descriptor)
    Thread.detachNewThread { [self] in
      var frame = frame
      let start = ContinuousClock.now
      for number in 0..<count where !isToStop.load(ordering: .relaxed) {
        change(&frame, number)
        // Safety: the array has as many bytes. A queue that is full is tried again.
        while unsafe send(descriptor, frame, frame.count, 0) < 0, errno == ENOBUFS || errno == EINTR {
          usleep(1000)
        }
        sent.store(number + 1, ordering: .relaxed)
        guard number % 32 == 31 else { continue }
        let ahead = start + .microseconds(number * 1_000_000 / rate) - ContinuousClock.now
        if ahead > .zero { usleep(UInt32(ahead / .microseconds(1))) }
      }
      close(descriptor)
      isOver.store(true, ordering: .releasing)
    }
  }

  var count: Int { sent.load(ordering: .relaxed) }
  var isRunning: Bool { !isOver.load(ordering: .acquiring) }

  func stop() { isToStop.store(true, ordering: .relaxed) }
}
