import NATConfiguration

/// The configuration of a running gateway, as written and as resolved for this machine.
struct ConfigurationInForce: Sendable {
  /// The file as read last, with the static mappings that operators added.
  var written: Configuration
  /// The same with the machine's addresses and the devices' MAC addresses and MTUs. The workers use this one.
  var live: Configuration
  /// The machine's addresses and ports that replace `address: host`.
  var machine: Configuration.Machine
  /// The path of the file; nil if it cannot be read again.
  let file: String?
}

/// A component that follows changes of the configuration.
protocol ChangeObserver: Sendable {
  /// Called before the workers change.
  /// - Parameter next: the next configuration, with the machine's addresses filled in.
  func prepare(for next: Configuration) async

  /// Called after the workers have changed, or after a change was undone.
  /// - Parameter live: the configuration in force, with the machine's addresses filled in.
  func follow(_ live: Configuration) async
}

extension ChangeObserver {
  func prepare(for next: Configuration) async {}
}
