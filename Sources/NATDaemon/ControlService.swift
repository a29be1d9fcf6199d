package import Logging
package import NATConfiguration
package import NATControl
import NATControlSocket
import NATWire
import Synchronization

/// The control socket, and the port of the metrics if one is configured.
package final class ControlService: Component {
  private let server: ControlServer
  private let serving = Mutex<Task<Void, any Error>?>(nil)

  package init(
    _ control: Configuration.Control, _ metrics: Configuration.Metrics, operations: any GatewayOperations,
    logger: Logger
  ) {
    server = ControlServer(
      ControlServer.Settings(
        socketPath: control.socket, mode: control.mode, group: control.group,
        metrics: metrics.listen.map { ($0.address.description, $0.port) }),
      operations: operations, logger: logger)
  }

  /// Starts the server and returns once it accepts connections.
  /// - Throws: `ControlSocketFault` if it cannot listen.
  package func start() async throws {
    let (listening, continuation) = AsyncStream<Void>.makeStream()
    let task = Task { [server] in
      defer { continuation.finish() }
      try await server.run { _ in
        continuation.yield()
        continuation.finish()
      }
    }
    serving.withLock { $0 = task }
    for await _ in listening { return }
    try await task.value
  }

  /// Stops serving and removes the socket file.
  package func stop() async {
    let task = serving.withLock { $0.take() }
    task?.cancel()
    try? await task?.value
  }
}
