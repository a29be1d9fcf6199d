package import Logging
package import NATConfiguration
package import NATControl
import NATControlSocket
import NATWire

/// The control socket, and the port of the metrics where one is asked for.
package struct ControlService {
  private let server: ControlServer

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

  /// Serves in a task of its own until that is cancelled; then the socket file is gone.
  /// - Returns: as soon as it listens.
  /// - Throws: `ControlSocketFault` when it cannot listen.
  package func start() async throws -> Task<Void, any Error> {
    let (listening, continuation) = AsyncStream<Void>.makeStream()
    let task = Task { [server] in
      defer { continuation.finish() }
      try await server.run { _ in
        continuation.yield()
        continuation.finish()
      }
    }
    for await _ in listening { return task }
    try await task.value
    return task
  }
}
