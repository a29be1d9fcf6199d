import Logging
import NATControl
import UnixSignals

/// Reloads the configuration on SIGHUP, and logs the result.
struct ReloadSignal: Component {
  let control: any GatewayOperations
  let manager: ServiceManager?
  let logger: Logger

  func run() async {
    for await _ in await UnixSignalsSequence(trapping: .sighup) {
      manager?.notify(["RELOADING=1", "MONOTONIC_USEC=\(LiveClock.monotonicMicroseconds)"])
      // Reloaded or refused, a configuration is in force.
      defer { manager?.notify(["READY=1"]) }
      do throws(ControlError) {
        let answer = try await control.reload()
        logger.notice(
          "configuration reloaded",
          metadata: [
            "changed": "\(answer.changed.map(\.setting).joined(separator: ", "))",
            "sessionsEnded": "\(answer.ended.sessions)", "bindingsEnded": "\(answer.ended.bindings)",
          ])
      } catch {
        logger.error(
          "configuration not reloaded", metadata: ["reason": "\(error.reason)", "error": "\(error.error)"])
      }
    }
  }
}
