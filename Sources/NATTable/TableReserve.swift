import NATMemory

/// Room for additions at run time. Its memory is mapped at the start, and costs nothing until it is used.
public struct TableReserve: BitwiseCopyable, Sendable {
  /// Further pool addresses.
  public var poolAddresses = 0
  public var forwards = 0
  public var oneToOne = 0
  /// How far the limits may be raised.
  public var bindings = 0
  public var sessions = 0

  public init() {}

  /// The reserve of a live gateway: 64 pool addresses, 16,384 port forwards and as many 1:1 mappings. The
  /// limits may grow by half, or to the defaults if that is more, but not beyond what a table can hold.
  public static func live(_ settings: TableSettings) -> TableReserve {
    let defaults = TableSettings(pool: [])
    var reserve = TableReserve()
    reserve.poolAddresses = max(0, min(64, TableCapacity.mostPoolAddresses - settings.pool.count))
    reserve.forwards = 16_384
    reserve.oneToOne = 16_384
    // Half of the limit, if that can be indexed.
    func reserved(_ limit: Int, _ least: Int) -> Int {
      max(0, min(max(limit + limit / 2, least), TableCapacity.largestLimit) - limit)
    }
    reserve.bindings = reserved(settings.bindingLimit, defaults.bindingLimit)
    reserve.sessions = reserved(settings.sessionLimit, defaults.sessionLimit)
    return reserve
  }
}

/// How many places a table has.
public struct TableCapacity: BitwiseCopyable, Sendable, Equatable {
  public var poolAddresses: Int
  public var forwards: Int
  public var oneToOne: Int
  /// Dynamic bindings of all workers together.
  public var bindings: Int
  /// Sessions of all workers together.
  public var sessions: Int
  /// For each worker: port forwards outside the pool, and ports of 1:1 mappings that have sessions.
  var extra: Int

  // Places have numbers of 28 bits: three quarters for 1,024 pool addresses, an eighth for ports of 1:1
  // mappings, the rest for port forwards.

  /// The most pool addresses, reserve included.
  public static let mostPoolAddresses = 1024
  /// The highest value of either limit, reserve included.
  public static let largestLimit = 1 << 26
  /// Ports of 1:1 mappings that may have sessions at a time, for all workers together.
  private static let mostOneToOnePorts = 1 << 25
  /// The same for each worker, if the configuration had no such mappings at the start.
  private static let oneToOnePorts = 65_536

  init(_ settings: TableSettings) {
    poolAddresses = settings.pool.count + settings.reserve.poolAddresses
    forwards = settings.forwards.count + settings.reserve.forwards
    oneToOne = settings.oneToOne.count + settings.reserve.oneToOne
    bindings = settings.bindingLimit + settings.reserve.bindings
    sessions = settings.sessionLimit + settings.reserve.sessions
    let ports = min(sessions, TableCapacity.mostOneToOnePorts) / settings.workers + 1
    extra = forwards
    if !settings.oneToOne.isEmpty {
      extra += ports
    } else if settings.reserve.oneToOne > 0 {
      extra += min(ports, TableCapacity.oneToOnePorts)
    }
  }
}
