import Glibc
import Logging
import NATControl
import NATWire

/// What the service manager hears of a daemon that runs. Without a service manager, nothing.
struct ServiceNotices {
  private let manager: ServiceManager?
  private let worker: WorkerFigures
  private var watchdog: Watchdog?
  private var said: String?

  init(_ manager: ServiceManager?, worker: WorkerFigures) {
    self.manager = manager
    self.worker = worker
    watchdog = manager?.watchdogMicroseconds.map {
      Watchdog(microseconds: $0, beats: [worker.heartbeats], at: LiveClock.now)
    }
  }

  /// Both sides capture, the guards stand, the control socket answers.
  mutating func sayReady(_ control: some GatewayOperations, _ logger: Logger) async {
    guard let manager else { return }
    let status = await ServiceNotices.status(control)
    said = status
    guard !manager.notify(["READY=1", "STATUS=\(status)"]) else { return }
    logger.warning("the service manager does not hear", metadata: ["error": "\(errno)"])
  }

  /// Says how the gateway is, where that has changed.
  mutating func sayStatus(_ control: some GatewayOperations) async {
    guard let manager else { return }
    let status = await ServiceNotices.status(control)
    if status != said { manager.notify(["STATUS=\(status)"]) }
    said = status
  }

  /// To be called several times within the service manager's interval.
  mutating func feedWatchdog() {
    guard watchdog?.isToFeed([worker.heartbeats], at: LiveClock.now) == true else { return }
    manager?.notify(["WATCHDOG=1"])
  }

  private static func status(_ control: some GatewayOperations) async -> String {
    guard let status = try? await control.status() else { return "Stopping" }
    let (inside, outside) = (status.interfaces.inside.name, status.interfaces.outside.name)
    let state =
      status.degraded.isEmpty ? "Forwarding" : "Degraded: " + status.degraded.joined(separator: "; ")
    return "\(state) (\(inside), \(outside))"
  }
}
