import Logging
package import NATConfiguration
package import NATKernel
import Synchronization

extension ReservedPorts {
  /// The reserved ports of the gateway with this control socket.
  package init(for control: Configuration.Control) {
    self.init(record: ReservedPorts.record(for: control.socket))
  }
}

/// Keeps the kernel from giving the gateway's ports on a shared address to other sockets while the daemon
/// runs. Ports that were already reserved when the daemon started stay reserved after it.
final class PortReservation: Component, ChangeObserver {
  private struct State {
    var wanted: [ClosedRange<UInt16>]
    var isOurs = false
    var fault: String?
  }

  private let ports: ReservedPorts
  private let logger: Logger
  private let state: Mutex<State>

  init(_ configuration: Configuration, logger: Logger) {
    ports = ReservedPorts(for: configuration.control)
    state = Mutex(State(wanted: configuration.reservedPorts))
    self.logger = logger
  }

  func start() { reserve() }

  /// Reserves the ports again every second, because other programs that load kernel settings may remove them.
  func run() async { await repeatedly(every: .seconds(1)) { reserve() } }

  /// Removes the ports that this process added or took over.
  func stop() {
    state.withLock { state in
      guard state.isOurs else { return }
      do {
        try ports.restore()
      } catch {
        logger.warning("reserved ports are not taken back: \(error)")
      }
    }
  }

  /// Why the ports could not be reserved.
  var conditions: [Condition] { state.withLock(\.fault).map { [Condition(reason: $0)] } ?? [] }

  func prepare(for next: Configuration) { follow(next) }

  func follow(_ live: Configuration) {
    state.withLock { $0.wanted = live.reservedPorts }
    reserve()
  }

  private func reserve() {
    state.withLock { state in
      guard !state.wanted.isEmpty else { return }
      do {
        // Ports that another program reserved are not recorded. Ports of an earlier daemon are taken over.
        if try !ports.holds(state.wanted) || ports.isRecorded && !state.isOurs && ports.isWritable {
          try ports.add(state.wanted)
          state.isOurs = true
        }
        state.fault = nil
      } catch {
        if (try? ports.holds(state.wanted)) == true {
          state.fault = nil
          return
        }
        let fault = "the kernel may give ports of the gateway to its own sockets: \(error)"
        if state.fault != fault { logger.warning("\(fault)") }
        state.fault = fault
      }
    }
  }
}
