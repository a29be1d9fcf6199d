import Logging
package import NATConfiguration
package import NATKernel
import Synchronization

extension ReservedPorts {
  /// For a gateway with this control socket.
  package init(for control: Configuration.Control) {
    self.init(record: ReservedPorts.record(for: control.socket))
  }
}

/// Keeps the kernel's own sockets from the gateway's ports while it runs. Whoever did that before it started takes it
/// back himself.
final class PortReservation: Sendable {
  private struct State {
    var isOurs = false
    var fault: String?
  }

  private let ports: ReservedPorts
  private let logger: Logger
  private let state = Mutex(State())

  init(_ configuration: Configuration, logger: Logger) {
    ports = ReservedPorts(for: configuration.control)
    self.logger = logger
  }

  /// Why they could not be reserved; nil where they are.
  var fault: String? { state.withLock(\.fault) }

  /// Reserves these too.
  func reserve(_ wanted: [ClosedRange<UInt16>]) {
    guard !wanted.isEmpty else { return }
    state.withLock { state in
      do {
        // What somebody reserved before this one started stays his; what one before it left behind is taken over.
        if try !ports.holds(wanted) || ports.isRecorded && !state.isOurs && ports.isWritable {
          try ports.add(wanted)
          state.isOurs = true
        }
        state.fault = nil
      } catch {
        if (try? ports.holds(wanted)) == true {
          state.fault = nil
          return
        }
        let fault = "the kernel may give ports of the gateway's to its own sockets: \(error)"
        if state.fault != fault { logger.warning("\(fault)") }
        state.fault = fault
      }
    }
  }

  /// Takes back what this process added, and what it took over.
  func restore() {
    state.withLock { state in
      guard state.isOurs else { return }
      do {
        try ports.restore()
      } catch {
        logger.warning("reserved ports are not taken back: \(error)")
      }
    }
  }
}
