import Glibc
import TestSupport
import Testing

/// Does what the service manager does with the sockets that the daemon leaves to it.
final class DescriptorStore {
  private(set) var kept: [(name: String, descriptor: Int32)] = []

  /// - Parameter seconds: for each message.
  func serveUntilReady(_ notify: NotifySocket, within seconds: Double = 60) throws {
    while true {
      let message = try #require(notify.receive(within: seconds))
      let name = message.value(of: "FDNAME") ?? ""
      if message.lines.contains("FDSTORE=1") { kept.append((name, try #require(message.descriptor))) }
      if message.lines.contains("FDSTOREREMOVE=1") {
        for one in kept where one.name == name { close(one.descriptor) }
        kept.removeAll { $0.name == name }
      }
      if message.lines.contains("READY=1") { return }
    }
  }

  func releaseAll() {
    for one in kept { close(one.descriptor) }
    kept = []
  }

  deinit { releaseAll() }
}
