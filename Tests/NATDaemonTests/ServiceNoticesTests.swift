import Foundation
import Logging
import TestSupport
import Testing

@testable import NATDaemon

/// What the service manager hears of a daemon that runs.
@Suite struct ServiceNoticesTests {
  @Test("RC7 the service manager hears that the daemon is ready, and a status when it has changed")
  func status() async throws {
    let bench = try Bench()
    let folder = FileManager.default.temporaryDirectory
    let socket = try NotifySocket(folder.appending(path: "portico-\(UUID().uuidString.prefix(8))").path)
    let notices = try #require(
      ServiceNotices(
        ServiceManager(["NOTIFY_SOCKET": socket.name]), bench.workers, bench.control,
        logger: Logger(label: "test")))
    await notices.start()
    let down =
      "STATUS=Degraded: the inside interface lan0 has no carrier; the outside interface lan0 has no carrier "
      + "(lan0, lan0)"
    #expect(socket.receive(within: 60)?.lines == ["READY=1", down])
    // What is sent is there when the call returns.
    for _ in 0..<3 { await notices.announceStatus() }
    #expect(socket.receive(within: 0) == nil)
    await bench.interfaces.set(link: "up")
    for _ in 0..<3 { await notices.announceStatus() }
    #expect(socket.receive(within: 0)?.lines == ["STATUS=Forwarding (lan0, lan0)"])
    #expect(socket.receive(within: 0) == nil)
    await bench.stop()
  }
}
