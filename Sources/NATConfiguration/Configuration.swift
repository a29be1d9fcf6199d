/// The YAML configuration file as checked values: what the operator asked for.
///
/// ``load(path:)`` and ``parse(_:file:)`` read a file as a whole, or throw ``ConfigurationErrors``: everything that is wrong,
/// each with file, line, column, what was found and what would be right.
///
///     let configuration = try Configuration.parse(
///       """
///       interfaces:
///         inside: { name: lan0, address: 192.168.1.1/24 }
///         outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.1 }
///       nat: { port-choice: random, lifetimes: { udp: 2m } }
///       """, file: "portico.yaml")
///     configuration.nat.lifetimes.udpNanoseconds  // 120_000_000_000
///
/// Each nested type is one mapping of the file. Beside it stand the declarations of its settings (`Setting`): the path in
/// the file, the property, the form (`Form`), what a change does, and a line of documentation. From the declarations follow
/// reading, ``settings``, ``changes(to:)``, ``yaml`` and ``reference``. `Checks` holds the rules between settings.
///
/// To add a setting, add its property with the default, and its declaration in the same file.
///
/// Durations are nanoseconds here, sizes are bytes. Values built in code are not checked.
public struct Configuration: Sendable, Equatable {
  public var interfaces: Interfaces
  /// Further inside networks, behind inside routers.
  public var routes: [Route]
  public var nat: NAT
  /// The key `static`, in the order of the file.
  public var statics: [StaticMapping] = []
  public var workers = 1
  public var capture = Capture()
  public var control = Control()
  public var metrics = Metrics()
  public var state = State()
  public var record = Record()
  /// The key `guard`.
  public var kernelGuard = true
  public var log = Log()

  /// A configuration with defaults: the pool is the outside address, or ``machinePorts`` of the machine's; the inside
  /// network and the routes are translated.
  public init(interfaces: Interfaces, routes: [Route] = []) {
    self.interfaces = interfaces
    self.routes = routes
    nat = NAT(
      insideNetworks: [interfaces.inside.network] + routes.map(\.network),
      pool: [
        interfaces.outside.hasMachineAddress
          ? PoolAddress(.machine, ports: [Configuration.machinePorts])
          : PoolAddress(interfaces.outside.address)
      ])
  }
}
