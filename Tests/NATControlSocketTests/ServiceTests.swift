import Foundation
import Logging
import NATConfiguration
import NATControl
import NATControlSocket
import NATDaemon
import NATWire
import ServiceLifecycle
import Testing

/// The server as a service of the daemon.
@Suite struct ServiceTests {
  @Test(
    "the service listens where the configuration says, ends with a graceful shutdown and leaves no socket")
  func service() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "portico-\(UUID().uuidString.prefix(8))")
    defer { try? FileManager.default.removeItem(at: folder) }
    var control = Configuration.Control()
    control.socket = folder.appending(path: "control.sock").path
    control.mode = 0o600
    control.group = "0"
    var metrics = Configuration.Metrics()
    metrics.listen = Endpoint(IPv4Address(0x7F00_0001), 0)
    let service = ControlService(control, metrics, operations: StandIn(), logger: LogLines().logger)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(services: [.init(service: service)], logger: LogLines().logger)
    )
    let executor = ApartExecutor()
    let running = Task(executorPreference: executor) { try await group.run() }
    let path = control.socket
    let status = await Task(executorPreference: executor) {
      var status: StatusDocument?
      for _ in 0..<500 where status == nil {
        status = try? await ControlClient(socketPath: path).status()
        try? await Task.sleep(for: .milliseconds(10))
      }
      return status
    }.value
    #expect(status == Examples.status)
    await group.triggerGracefulShutdown()
    try await running.value
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
