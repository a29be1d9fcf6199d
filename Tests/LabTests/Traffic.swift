import Foundation
import Glibc
import NATLab
import Synchronization
import TestSupport

/// Ever new sessions between real sockets of a client and a server, so many a second: datagrams with an answer, TCP
/// connections that are opened, used and closed, the server first, and pings. Each has a port, or an identifier, of its
/// own: the next 64,000 have others. Beside them one connection talks all the time.
final class Traffic: Sendable {
  enum Kind: Int, CaseIterable { case udp, tcp, ping }

  /// A second.
  typealias Rates = (udp: Int, tcp: Int, ping: Int)

  struct Counts {
    /// Sessions of each kind that were begun.
    var begun: [Int]
    /// Those whose answer did not come in time.
    var failed: Int
    /// What the one connection said and heard.
    var said: Int
  }

  private let shared = Shared()

  private final class Shared: Sendable {
    let isToStop = Atomic(false)
    let running = Atomic(0)
    let begun = Mutex([Int](repeating: 0, count: Kind.allCases.count))
    let failed = Atomic(0)
    let said = Atomic(0)

    var goesOn: Bool { !isToStop.load(ordering: .relaxed) }
  }

  /// - Parameter host: the server's address.
  init(from client: NetworkNamespace, to server: NetworkNamespace, _ host: [UInt8], _ rates: Rates) throws {
    try serve(server)
    let start = ContinuousClock.now
    for (kind, rate, lanes) in [(Kind.udp, rates.udp, 4), (.tcp, rates.tcp, 6), (.ping, rates.ping, 2)] {
      for _ in 0..<lanes {
        run(in: client) { shared in
          while shared.goesOn {
            let number = shared.begun.withLock { begun in
              defer { begun[kind.rawValue] += 1 }
              return begun[kind.rawValue]
            }
            // What is behind is made up for.
            let ahead = start + .microseconds(number * 1_000_000 / rate) - ContinuousClock.now
            if ahead > .zero { usleep(UInt32(ahead / .microseconds(1))) }
            let isAnswered = (try? Traffic.session(kind, number, host)) ?? false
            if !isAnswered { shared.failed.add(1, ordering: .relaxed) }
          }
        }
      }
    }
    run(in: client) { shared in
      guard let talk = try? PlainSocket.stream(port: 1023, to: host, 81) else { return }
      while shared.goesOn {
        let words = (0..<1000).map { _ in UInt8.random(in: 0...255) }
        guard (try? talk.sendFrame(words)) != nil, talk.receive(exactly: 1000) == words else { return }
        shared.said.add(1, ordering: .relaxed)
        usleep(100_000)
      }
    }
  }

  deinit { shared.isToStop.store(true, ordering: .relaxed) }

  /// Ends it; nothing is on its way any more.
  func stop() throws -> Counts {
    shared.isToStop.store(true, ordering: .relaxed)
    for _ in 0..<12_000 where shared.running.load(ordering: .acquiring) > 0 { usleep(5000) }
    guard shared.running.load(ordering: .acquiring) == 0 else {
      throw LabFailure(description: "traffic does not end")
    }
    return counts
  }

  var counts: Counts {
    Counts(
      begun: shared.begun.withLock { $0 }, failed: shared.failed.load(ordering: .relaxed),
      said: shared.said.load(ordering: .relaxed))
  }

  private func run(in namespace: NetworkNamespace, _ body: @escaping @Sendable (Shared) -> Void) {
    let shared = shared
    shared.running.add(1, ordering: .relaxed)
    Thread.detachNewThread {
      try? namespace.enter { body(shared) }
      shared.running.subtract(1, ordering: .releasing)
    }
  }

  private func serve(_ server: NetworkNamespace) throws {
    let datagrams = try server.enter { try UDPEnd(port: 9) }
    run(in: server) { shared in
      while shared.goesOn {
        guard datagrams.socket.isReadable(within: 0.5), let got = try? datagrams.socket.receiveDatagram()
        else {
          continue
        }
        try? datagrams.send(got.data, got.host, got.port)
      }
    }
    for (port, lanes) in [(UInt16(80), 2), (81, 1)] {
      let listener = Stream(try server.enter { try PlainSocket.listener(port: port) })
      for _ in 0..<lanes {
        run(in: server) { shared in
          while shared.goesOn {
            guard listener.socket.isReadable(within: 0.5), let connection = try? listener.socket.accept()
            else {
              continue
            }
            repeat {
              guard let words = connection.receive(atMost: 1000), !words.isEmpty else { break }
              guard (try? connection.sendFrame(words)) != nil else { break }
            } while port == 81 && shared.goesOn
          }
        }
      }
    }
  }

  /// One session from its beginning to its end.
  /// - Returns: whether it was answered as it should be.
  private static func session(_ kind: Kind, _ number: Int, _ host: [UInt8]) throws -> Bool {
    let port = UInt16(1024 + number % 64_000)
    let words = big(UInt32(truncatingIfNeeded: number))
    switch kind {
    case .udp:
      let socket = try PlainSocket.udp(port: port)
      try socket.send(words, to: host, 9)
      return socket.receive(within: 2) == words
    case .tcp:
      let socket = try PlainSocket.stream(port: port, to: host, 80)
      try socket.sendFrame(words)
      return socket.receive(exactly: 4) == words && socket.receive() == []
    case .ping:
      let socket = try PlainSocket.icmp()
      var echo: [UInt8] = [8, 0, 0, 0] + big(port) + words
      echo.replaceSubrange(2..<4, with: big(InternetChecksum.of(echo)))
      try socket.send(echo, to: host, 0)
      // The socket hears what others are answered, too.
      let answer = [UInt8](arrayLiteral: 0, 0)
      for _ in 0..<100 {
        guard let heard = socket.receive(within: 2) else { return false }
        if heard.count == 30, heard[20..<22] == answer[...], heard[24...] == echo[4...] { return true }
      }
      return false
    }
  }
}

/// What a process has of the system.
struct ProcessFigures {
  /// Resident memory in KiB.
  let residentKibibytes: Int
  /// Open file descriptors.
  let descriptors: Int

  init(_ identifier: pid_t) throws {
    let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let words = line?.split(separator: " "), words.count > 1, let resident = Int(words[words.count - 2])
    else { throw LabFailure(description: "no VmRSS of process \(identifier)") }
    residentKibibytes = resident
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/fd").count
  }
}
