import NATMemory

/// Room for additions while a table is in use. Its memory is mapped at the start and touched when it is used.
public struct TableReserve: BitwiseCopyable, Sendable {
  /// Addresses of the pool beyond those at the start.
  public var poolAddresses = 0
  public var forwards = 0
  public var oneToOne = 0
  /// By how much the limits may be raised.
  public var bindings = 0
  public var sessions = 0

  public init() {}

  /// What a live gateway keeps free: 64 pool addresses, 16,384 port forwards and as many 1:1 mappings, and limits half
  /// as large again, at least the defaults; no more than a table can hold (``TableCapacity/mostPoolAddresses``).
  public static func live(_ settings: TableSettings) -> TableReserve {
    let defaults = TableSettings(pool: [])
    var reserve = TableReserve()
    reserve.poolAddresses = max(0, min(64, TableCapacity.mostPoolAddresses - settings.pool.count))
    reserve.forwards = 16_384
    reserve.oneToOne = 16_384
    // Half as much again where that can be indexed.
    func reserved(_ limit: Int, _ least: Int) -> Int {
      max(0, min(max(limit + limit / 2, least), TableCapacity.largestLimit) - limit)
    }
    reserve.bindings = reserved(settings.bindingLimit, defaults.bindingLimit)
    reserve.sessions = reserved(settings.sessionLimit, defaults.sessionLimit)
    return reserve
  }
}

/// How much a table has places for.
public struct TableCapacity: BitwiseCopyable, Sendable, Equatable {
  public var poolAddresses: Int
  public var forwards: Int
  public var oneToOne: Int
  /// Dynamic bindings of all workers together.
  public var bindings: Int
  /// Sessions of all workers together.
  public var sessions: Int
  /// Forwards on addresses outside the pool, and ports of 1:1 mappings that have sessions, for each worker.
  var extra: Int

  // Places are numbered in 28 bits: three quarters of them for 1,024 pool addresses, an eighth for ports of 1:1 mappings,
  // the rest for forwards.

  /// Addresses of the pool, with the reserve.
  public static let mostPoolAddresses = 1024
  /// Either limit, with the reserve.
  public static let largestLimit = 1 << 26
  /// Ports of 1:1 mappings that may have sessions at a time, of all workers together.
  private static let mostOneToOnePorts = 1 << 25
  /// The same where there were no such mappings at the start, of each worker.
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
