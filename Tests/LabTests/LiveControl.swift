import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import Synchronization
import Testing

extension ChildProcess {
  /// Tells a daemon to end, and expects that it ends with the code 0.
  consuming func expectEnd(sourceLocation: SourceLocation = #_sourceLocation) {
    signal(SIGTERM)
    let code = wait()
    #expect(code == 0, sourceLocation: sourceLocation)
  }
}

extension Lab.Street {
  var control: ControlClient { ControlClient(socketPath: controlSocket) }

  /// Runs `portico` with the daemon's socket behind the arguments.
  func portico(_ arguments: String) throws -> (code: Int32, output: String) {
    try client.attempt("timeout 300 \(Lab.program("portico")) \(arguments) --socket \(controlSocket)")
  }

  /// Has curl ask the control socket.
  func ask(_ target: String, _ options: String = "") throws -> String {
    try client.shell("curl -sS -m 60 --unix-socket \(controlSocket) \(options) 'http://portico\(target)'")
  }

  /// A download of the client's beside the test, of `blocks` million bytes at 8 a second.
  func startDownload(_ blocks: Int) throws -> ChildProcess {
    let file = folder.appending(path: "download")
    try? FileManager.default.removeItem(at: file)
    let download = try client.start([
      "/bin/sh", "-c",
      "exec curl -sS -m 300 --limit-rate 8M -o \(file.path) http://203.0.113.9/\(blocks)",
    ])
    func size() -> Int {
      (try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int) ?? 0
    }
    guard eventually({ size() > 100_000 }) else {
      throw LabFailure(description: "the download does not begin: \(download.readToEnd())")
    }
    return download
  }

  /// Waits for its end, and compares.
  func expectWhole(
    _ download: consuming ChildProcess, _ blocks: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let errors = download.readToEnd()
    #expect(download.wait() == 0, "\(errors)", sourceLocation: sourceLocation)
    #expect(
      try Download.isWhole(folder.appending(path: "download"), blocks: blocks),
      sourceLocation: sourceLocation)
  }
}

extension ControlClient {
  /// The whole table.
  func wholeTable(_ filter: TableFilter = TableFilter()) async throws -> [BindingDocument] {
    let page = try await table(filter, after: nil, limit: 65_536)
    try #require(page.next == nil)
    return page.bindings
  }
}

/// Asks again every few milliseconds, as long as patience lasts.
func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
  let end = ContinuousClock.now + patience
  while ContinuousClock.now < end {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return false
}

/// A UDP socket in an array, bound in the namespace of the calling thread.
final class UDPEnd: Sendable {
  let socket: PlainSocket

  init(port: UInt16 = 0) throws { socket = try PlainSocket.udp(port: port) }

  func send(_ bytes: [UInt8], _ host: [UInt8], _ port: UInt16) throws {
    try socket.send(bytes, to: host, port)
  }
}

/// A stream in an array.
final class Stream: Sendable {
  let socket: PlainSocket

  init(_ socket: consuming PlainSocket) { self.socket = socket }
}

/// What one line of the table says of a packet's way.
struct Flow: Hashable, CustomStringConvertible {
  var transport: String
  var privateEndpoint: String
  var publicEndpoint: String
  var remote: String

  var description: String { "\(transport) \(privateEndpoint) \(publicEndpoint) \(remote)" }

  static func all(_ bindings: [BindingDocument]) -> [Flow] {
    bindings.flatMap { binding in
      binding.sessions.map { session in
        Flow(
          transport: binding.transport.rawValue, privateEndpoint: binding.privateEndpoint.text,
          publicEndpoint: binding.publicEndpoint.text, remote: session.remote.text)
      }
    }
  }
}

extension EndpointDocument {
  var text: String { "\(address):\(port)" }
}

/// Sends datagrams from one port of a namespace to ever new endpoints, so many a second, until told to stop.
final class Churn: Sendable {
  private let shared: Shared

  private final class Shared: Sendable {
    let isToStop = Atomic(false)
    let sent = Mutex<Int?>(nil)
  }

  /// - Parameters:
  ///   - rate: a second.
  ///   - fixed: one endpoint, to send to again and again; nil for ever new ones in 198.18.0.0/15.
  init(_ namespace: NetworkNamespace, port: UInt16, rate: Int, fixed: (host: [UInt8], port: UInt16)? = nil)
    throws
  {
    let end = try namespace.enter { try UDPEnd(port: port) }
    let shared = Shared()
    self.shared = shared
    Thread.detachNewThread {
      let start = ContinuousClock.now
      var count = 0
      while !shared.isToStop.load(ordering: .relaxed) {
        for _ in 0..<max(1, rate / 100) {
          let host = fixed?.host ?? [198, 18, UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
          try? end.send([1], host, fixed?.port ?? UInt16(1024 + count >> 16))
          count += 1
        }
        // What is behind is made up for.
        let ahead = start + .microseconds(count * 1_000_000 / rate) - ContinuousClock.now
        if ahead > .zero { usleep(UInt32(ahead / .microseconds(1))) }
      }
      shared.sent.withLock { $0 = count }
    }
  }

  deinit { shared.isToStop.store(true, ordering: .relaxed) }

  /// How many it sent.
  func stop() -> Int {
    shared.isToStop.store(true, ordering: .relaxed)
    for _ in 0..<1000 {
      if let sent = shared.sent.withLock({ $0 }) { return sent }
      usleep(5000)
    }
    return 0
  }
}
