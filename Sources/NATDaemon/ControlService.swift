public import Logging
public import NATConfiguration
public import NATControl
import NATControlSocket
import NATWire
public import ServiceLifecycle

/// The control socket, and the port of the metrics where one is asked for, as a service.
public struct ControlService: Service, CustomStringConvertible {
  private let server: ControlServer

  public init(
    _ control: Configuration.Control, _ metrics: Configuration.Metrics, operations: any GatewayOperations,
    logger: Logger
  ) {
    server = ControlServer(
      ControlServer.Settings(
        socketPath: control.socket, mode: control.mode, group: control.group,
        metrics: metrics.listen.map { ($0.address.description, $0.port) }),
      operations: operations, logger: logger)
  }

  /// For the log.
  public var description: String { "control" }

  /// Serves until a graceful shutdown begins or the task is cancelled; then the socket file is gone.
  /// - Throws: `ControlSocketFault` when it cannot listen.
  public func run() async throws {
    try await cancelWhenGracefulShutdown { try await server.run() }
  }
}
