import NATConfiguration

/// The configuration of a running gateway: as it is written, and with what it leaves open.
struct ConfigurationInForce: Sendable {
  /// As the file was read last, with the static mappings that operators added.
  var written: Configuration
  /// The same with the machine's addresses and the devices' MAC addresses and MTUs: what the workers go by.
  var live: Configuration
  /// What the machine has for `address: host`.
  var machine: Configuration.Machine
  /// The path that it was read from; nil if it cannot be read again.
  let file: String?

  init(_ written: Configuration, live: Configuration, machine: Configuration.Machine, file: String?) {
    self.written = written
    self.live = live
    self.machine = machine
    self.file = file
  }
}

/// A component that follows changes of the configuration.
protocol ChangeObserver: Sendable {
  /// The workers are about to change.
  /// - Parameter next: with the machine's addresses in it.
  func prepare(for next: Configuration) async

  /// The workers have changed, or a change was taken back.
  /// - Parameter live: what is in force, with the machine's addresses in it.
  func follow(_ live: Configuration) async
}

extension ChangeObserver {
  func prepare(for next: Configuration) async {}
}
