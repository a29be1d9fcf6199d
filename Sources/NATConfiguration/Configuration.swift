/// What the operator asked for: the YAML configuration file as checked values.
///
/// Durations are whole seconds in the file and nanoseconds here, sizes are bytes. The property names follow
/// the keys of the file; each nested type is one mapping of it. ``parse(_:file:)`` and ``load(path:)`` give
/// checked values only; values built in code are the caller's to get right.
public struct Configuration: Sendable, Equatable {
  public var interfaces: Interfaces
  /// Further inside networks behind inside routers.
  public var routes: [Route]
  public var nat: NAT
  /// The key `static`, in the order of the file.
  public var statics: [StaticMapping]
  /// 1 to 64.
  public var workers: Int
  public var capture: Capture
  public var control: Control
  public var metrics: Metrics
  public var state: State
  public var record: Record
  /// The key `guard`: keep the kernel from answering and forwarding what Portico handles.
  public var kernelGuard: Bool
  public var log: Log

  /// Every setting that follows from nothing else has its default: the pool is the outside address (the host's with
  /// ``hostPorts`` only), the networks translated are the inside network and the routes.
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
    statics = []
    workers = 1
    capture = Capture()
    control = Control()
    metrics = Metrics()
    state = State()
    record = Record()
    kernelGuard = true
    log = Log()
  }
}
