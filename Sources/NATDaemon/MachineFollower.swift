import Logging
import NATControl

/// Watches the interfaces, and follows the machine's addresses, routes and sockets. It looks once a second,
/// and at once when the kernel reports a change.
struct MachineFollower: Component {
  let changes: ChangeCoordinator
  let interfaces: InterfaceKeeper
  /// Nil if the configuration does not use the machine's addresses.
  let listener: MachineListener?
  let logger: Logger

  func run() async {
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask {
        await repeatedly(every: .seconds(1)) { await look(looksAtSockets: true) }
      }
      if let listener {
        tasks.addTask {
          for await _ in listener.news { await look(looksAtSockets: false) }
        }
      }
    }
  }

  private func look(looksAtSockets: Bool) async {
    // The name of an interface may belong to another device now.
    await interfaces.watch()
    do {
      guard let followed = try await changes.follow(looksAtSockets: looksAtSockets) else { return }
      logger.notice(
        "the machine's addresses, routes or sockets have changed",
        metadata: [
          "address": "\(followed.outside)", "gateway": "\(followed.gateway)",
          "sessionsEnded": "\(followed.sessionsEnded)",
        ])
      for reason in followed.degraded { logger.warning("degraded", metadata: ["reason": "\(reason)"]) }
    } catch {
      logger.warning("\(error)")
    }
  }
}
