import Foundation
import Logging
import NATControl
import NATControlSocket
import Synchronization

/// A server in a temporary folder, which is gone at the end of the body, as is the server.
struct TestServer {
  let operations: StandIn
  let folder: URL
  let socketPath: String
  let metricsPort: Int?
  let log: LogLines

  var client: ControlClient { ControlClient(socketPath: socketPath) }

  /// A connection to the control socket.
  func connect() throws -> PlainSocket { try PlainSocket(path: socketPath) }

  static func run<Result>(
    limits: ControlLimits = ControlLimits(), mode: UInt32 = 0o600, group: String = "0",
    withMetrics: Bool = false, operations: StandIn = StandIn(), isolation: isolated (any Actor)? = #isolation,
    _ body: (TestServer) async throws -> Result
  ) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "portico-\(UUID().uuidString.prefix(8))")
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "run/control.sock").path
    let log = LogLines()
    let server = ControlServer(
      ControlServer.Settings(
        socketPath: path, mode: mode, group: group, metrics: withMetrics ? ("127.0.0.1", 0) : nil,
        limits: limits),
      operations: operations, logger: log.logger)
    let (ready, listening) = AsyncThrowingStream<Int?, any Error>.makeStream()
    let running = Task {
      do {
        try await server.run { listening.yield($0) }
        listening.finish()
      } catch { listening.finish(throwing: error) }
    }
    defer { running.cancel() }
    var port: Int??
    for try await first in ready {
      port = first
      break
    }
    let made = TestServer(
      operations: operations, folder: folder, socketPath: path, metricsPort: port ?? nil, log: log)
    let result = try await body(made)
    running.cancel()
    await running.value
    return result
  }
}

/// What was logged.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { [self] _ in Handler(lines: self) } }

  private struct Handler: LogHandler {
    let lines: LogLines
    var logLevel = Logger.Level.debug
    var metadata = Logger.Metadata()

    init(lines: LogLines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      lines.lines.withLock {
        $0.append(([event.level.rawValue, "\(event.message)"] + pairs).joined(separator: " "))
      }
    }
  }
}
