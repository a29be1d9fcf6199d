import Foundation
import Glibc
import NATLab
import Synchronization
import TestSupport

/// Random packets from the server's side to the gateway, 25,000 a second if the machine can, until told to stop.
final class Junk: Sendable {
  let seed: UInt64
  private let shared: Shared

  private final class Shared: Sendable {
    let isToStop = Atomic(false)
    let sent = Mutex<(count: Int, time: Duration)?>(nil)
  }

  init(_ street: Lab.Street) throws {
    seed = UInt64.random(in: 1...UInt64.max)
    let tap = try Tap(street.server)
    let frames = Junk.frames(seed: seed, to: try street.gatewayMAC("wan0"), from: tap.mac)
    let shared = Shared()
    self.shared = shared
    let descriptor = dup(tap.socket.descriptor)
    Thread.detachNewThread {
      let start = ContinuousClock.now
      var count = 0
      while !shared.isToStop.load(ordering: .relaxed) {
        for _ in 0..<200 {
          let frame = frames[count % frames.count]
          // Safety: the array has as many bytes.
          _ = unsafe send(descriptor, frame, frame.count, 0)
          count += 1
        }
        // What is behind is made up for.
        let due = start + .microseconds(count * 40)
        let ahead = due - ContinuousClock.now
        if ahead > .zero { usleep(UInt32(ahead / .microseconds(1))) }
      }
      close(descriptor)
      shared.sent.withLock { $0 = (count, ContinuousClock.now - start) }
    }
  }

  deinit { shared.isToStop.store(true, ordering: .relaxed) }

  func stop() -> (count: Int, time: Duration) {
    shared.isToStop.store(true, ordering: .relaxed)
    for _ in 0..<2000 {
      if let sent = shared.sent.withLock({ $0 }) { return sent }
      usleep(5000)
    }
    return (0, .zero)
  }

  /// IPv4 packets to the public address: half with a sound header and a random protocol and payload, half random
  /// altogether behind the Ethernet header.
  private static func frames(seed: UInt64, to: [UInt8], from: [UInt8]) -> [[UInt8]] {
    var random = Generator(seed: seed)
    func next() -> UInt8 { random.byte() }
    return (0..<4096).map { index in
      let payload = (0..<(8 + Int(next()) % 200)).map { _ in next() }
      if index % 2 == 0 {
        return WireFrames.ipv4(
          (from, [198, 18, next(), next()]), (to, [203, 0, 113, 5]),
          protocolNumber: [1, 6, 17, next()][Int(next() % 4)], payload)
      }
      return to + from + [8, 0] + payload
    }
  }
}
