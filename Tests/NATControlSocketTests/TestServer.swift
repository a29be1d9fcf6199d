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
  func connect() async throws -> PlainSocket { try await PlainSocket.connect(path: socketPath) }

  /// One request on a connection of its own; status 0 where there is none.
  func ask(_ head: String, body: String = "") async -> (status: Int, body: String) {
    await (try? await connect())?.ask(head, body: body) ?? (0, "no connection")
  }

  /// The same on the port of the metrics.
  func askMetrics(_ head: String) async -> (status: Int, body: String) {
    await (try? await PlainSocket.connect(port: metricsPort ?? 0))?.ask(head) ?? (0, "no connection")
  }

  static func run<Result: Sendable>(
    limits: ControlLimits = .patient, mode: UInt32 = 0o600, group: String = "0",
    withMetrics: Bool = false, operations: StandIn = StandIn(),
    _ body: @escaping @Sendable (TestServer) async throws -> Result
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
    // Tests of other rooms may hold every thread of the tasks for a long time.
    let executor = ApartExecutor()
    let running = Task(executorPreference: executor) {
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
    let result = try await Task(executorPreference: executor) { try await body(made) }.value
    running.cancel()
    await running.value
    return result
  }
}

/// Runs tasks on a thread of its own.
final class ApartExecutor: TaskExecutor {
  private let queue = DispatchQueue(label: "control socket test")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // Safety: each job is run once.
    queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

extension ControlLimits {
  /// For tests of something else, on machines that are busy.
  static let patient: ControlLimits = {
    var limits = ControlLimits()
    limits.requestTime = .seconds(600)
    limits.stallTime = .seconds(600)
    return limits
  }()
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
