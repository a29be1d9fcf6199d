import Glibc
import Logging
import NATControl
import NATWire

/// Notifies the service manager: the daemon is ready, its status, and that the workers are alive.
actor ServiceNotices: Component {
  private let manager: ServiceManager
  private let workers: WorkerSet
  private let control: any GatewayOperations
  private let logger: Logger
  private var watchdog: Watchdog?
  private var announced: String?

  /// - Returns: nil without a service manager.
  init?(_ manager: ServiceManager?, _ workers: WorkerSet, _ control: any GatewayOperations, logger: Logger) {
    guard let manager else { return nil }
    self.manager = manager
    self.workers = workers
    self.control = control
    self.logger = logger
    watchdog = manager.watchdogMicroseconds.map {
      Watchdog(microseconds: $0, beats: workers.members.map(\.figures.heartbeats), at: LiveClock.now)
    }
  }

  /// Both interfaces are attached, the kernel rules are installed, and the control socket listens.
  func start() async {
    let status = await status()
    announced = status
    guard !manager.notify(["READY=1", "STATUS=\(status)"]) else { return }
    logger.warning("the service manager cannot be reached", metadata: ["error": "\(errno)"])
  }

  func run() async {
    var rounds = 0
    await repeatedly(every: .milliseconds(250)) {
      if rounds % 4 == 0 { await announceStatus() }
      rounds += 1
      feedWatchdog()
    }
  }

  func stop() { manager.notify(["STOPPING=1", "STATUS=Stopping"]) }

  /// Sends the status if it has changed.
  func announceStatus() async {
    let status = await status()
    if status != announced { manager.notify(["STATUS=\(status)"]) }
    announced = status
  }

  func feedWatchdog() {
    guard watchdog?.isToFeed(workers.members.map(\.figures.heartbeats), at: LiveClock.now) == true else {
      return
    }
    manager.notify(["WATCHDOG=1"])
  }

  private func status() async -> String {
    guard let status = try? await control.status() else { return "Stopping" }
    let (inside, outside) = (status.interfaces.inside.name, status.interfaces.outside.name)
    let state =
      status.degraded.isEmpty ? "Forwarding" : "Degraded: " + status.degraded.joined(separator: "; ")
    return "\(state) (\(inside), \(outside))"
  }
}
