package import CLinuxPacket
internal import Glibc

/// The system calls of a ``Transmitter``. Tests put their own in their place.
package protocol SendingCalls: ~Copyable {
  /// sendmmsg(2), without waiting.
  /// - Returns: how many messages the socket took, or a negative error number.
  mutating func send(_ messages: UnsafeMutablePointer<portico_message>, count: Int, to socket: Int32) -> Int32

  /// sched_yield(2), before the next try.
  mutating func yield()
}

/// The calls of the system.
private struct KernelCalls: SendingCalls {
  func send(_ messages: UnsafeMutablePointer<portico_message>, count: Int, to socket: Int32) -> Int32 {
    // Safety: the caller has filled that many messages.
    let sent = unsafe portico_sendmmsg(socket, messages, UInt32(count), Int32(MSG_DONTWAIT))
    return sent >= 0 ? sent : -errno
  }

  func yield() { sched_yield() }
}

extension Transmitter {
  /// Sends the batch. Afterwards the caller may reuse the bytes of the frames.
  /// - Complexity: one system call, unless the device is full or refuses a frame.
  public mutating func flush() {
    var calls = KernelCalls()
    flush(through: &calls)
  }

  /// Offers the batch to the socket until every frame is taken, or dropped and counted once.
  package mutating func flush(through calls: inout some SendingCalls & ~Copyable) {
    var next = 0
    var retries = Transmitter.retries
    while next < count {
      // Safety: `count` messages were filled by `add`.
      let sent = unsafe calls.send(messages + next, count: count - next, to: way)
      if sent > 0 {
        countSent(next..<next + Int(sent))
        hasVanished = false
        next += Int(sent)
        continue
      }
      switch -sent {
      case ENOBUFS where isRefusedJoinedPacket(next) && sendQueued(next, through: &calls):
        next += 1
      case EAGAIN, ENOBUFS, ENOMEM, EINTR:
        if retries > 0 {
          retries -= 1
          if sent != -EINTR { calls.yield() }
        } else {
          counters.queueFull &+= 1
          next += 1
        }
      case ENETDOWN where retries == Transmitter.retries:
        // After it was down, an interface reports ENETDOWN once more when it is up again.
        retries -= 1
      case ENETDOWN, ENXIO, ENODEV:
        hasVanished = sent != -ENETDOWN
        counters.linkDown &+= UInt64(count - next)
        next = count
      default:
        counters.refused &+= 1
        next += 1
      }
    }
    count = 0
  }

  private mutating func countSent(_ range: Range<Int>) {
    for index in range {
      // Safety: the caller's range was filled by `add`.
      counters.bytes &+= unsafe UInt64(vectors[2 * index + 1].iov_len)
    }
    counters.frames &+= UInt64(range.count)
  }

  /// Whether the device may have refused a joined packet as too long, or as of too many segments.
  private func isRefusedJoinedPacket(_ index: Int) -> Bool {
    // Safety: the header was filled by `add`.
    unsafe way == direct && headers[index].gso_type != 0
  }

  /// Sends one joined packet through the queueing discipline, where the kernel cuts it.
  private mutating func sendQueued(
    _ index: Int, through calls: inout some SendingCalls & ~Copyable
  ) -> Bool {
    // Safety: the message was filled by `add`.
    guard unsafe calls.send(messages + index, count: 1, to: queued) == 1 else { return false }
    countSent(index..<index + 1)
    return true
  }
}
