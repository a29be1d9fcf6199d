import Foundation
import Logging
import NATConfiguration
import NATControl
import NATControlSocket
import NATDaemon
import NATWire
import Testing

/// The server as a service of the daemon.
@Suite struct ServiceTests {
  @Test(
    "the service listens where the configuration says, stops when it is told to and leaves no socket")
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
    let executor = ApartExecutor()
    try await Task(executorPreference: executor) { try await service.start() }.value
    let path = control.socket
    let status = try await Task(executorPreference: executor) {
      try await ControlClient(socketPath: path).status()
    }.value
    #expect(status == Examples.status)
    await service.stop()
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
