import NATEngine
import NATTable
public import NATWire

/// Switches the recording of table events on or off.
public struct NoteEvents: GatewayJob {
  private let isOn: Bool

  public init(_ isOn: Bool) { self.isOn = isOn }

  public mutating func step(_ gateway: inout Gateway, into outbox: inout Outbox, at now: Instant) -> Bool {
    gateway.translator.shard.isNotingEvents = isOn
    return true
  }
}
