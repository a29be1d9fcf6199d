public import NATMemory
public import NATWire

/// The size and the rules of a translation table. Its capacity, ``reserve`` included, is fixed.
public struct TableSettings: Sendable {
  /// Workers that share the table, each the only writer of its own shard.
  public var workers = 1
  public var pool: [PoolAddress]
  public var policy = PoolPolicy()
  public var lifetimes = Lifetimes()
  /// Dynamic bindings of all workers together.
  public var bindingLimit = 262_144
  /// Sessions of all workers together.
  public var sessionLimit = 1_048_576
  /// Whether the oldest transitory TCP sessions end when there is no room for new ones.
  public var evictsOldestTransitory = false
  /// Whether the windows of TCP connections are tracked.
  public var tracksWindows = false
  /// Port forwards, on pool addresses and on others.
  public var forwards: [PortForward] = []
  public var oneToOne: [OneToOneMapping] = []
  public var reserve = TableReserve()

  public init(pool: [PoolAddress]) { self.pool = pool }
}

/// A port forward: a binding by configuration that exists without sessions.
public struct PortForward: Sendable, Hashable {
  public var transport: TransportProtocol
  public var `public`: Endpoint
  public var `private`: Endpoint
  public var terms: PortForwardTerms

  public init(
    _ transport: TransportProtocol, public: Endpoint, private: Endpoint,
    terms: PortForwardTerms = PortForwardTerms()
  ) {
    self.transport = transport
    self.public = `public`
    self.private = `private`
    self.terms = terms
  }
}

/// A 1:1 mapping: every protocol and port of a public address belongs to one inside host.
public struct OneToOneMapping: BitwiseCopyable, Sendable, Equatable {
  public var `public`: IPv4Address
  public var `private`: IPv4Address

  public init(public: IPv4Address, private: IPv4Address) {
    self.public = `public`
    self.private = `private`
  }
}

/// The translation table: bindings between private and public endpoints, and the sessions over them.
///
/// It has a shard for each worker. Only the worker writes its shard, with plain stores. Any thread may read
/// at any time and never waits. Nothing moves, so a reader that walks the table sees each entry that lives
/// all the time exactly once.
///
/// The bindings of pool addresses are in one array indexed by public endpoint. A ``HashIndex`` finds a
/// binding by private endpoint, and a session by binding and remote endpoint. Memory is mapped at full size,
/// but only touched pages cost: 32 B + 11.4 B a binding, 80 B + 11.4 B a session, 11.4 B for each remote
/// address that a binding is open to.
public final class TranslationTable: Sendable {
  public let bindings: BindingStore
  /// The sessions of each shard.
  public let sessions: [SessionStore]
  let shards: [ShardMemory]
  public let capacity: TableCapacity
  let settings: TableSettings
  let portForwardList: PortForwardList
  let hash: KeyHash
  let epochs: Epochs
  let readerClaims: AtomicWords
  private let common: CommonMemory

  /// Memory that all shards share.
  private struct CommonMemory: @unchecked Sendable {
    let bindings: MappedMemory
    let extra: MappedMemory
    let pool: MappedMemory
    let taken: MappedMemory
    let offered: MappedMemory
    let forwards: MappedMemory
    let epochs: MappedMemory
  }

  /// - Parameter random: gives the keys of the hash functions.
  public init(_ settings: TableSettings, random: inout RandomSource) {
    precondition((1...64).contains(settings.workers), "1 to 64 workers")
    precondition(settings.bindingLimit > 0 && settings.sessionLimit > 0, "limits are positive")
    self.settings = settings
    hash = KeyHash(from: &random)
    capacity = TableCapacity(settings)
    let directCount = capacity.poolAddresses * PortSpace.portsPerAddress
    let extraCount = capacity.extra * settings.workers
    precondition(directCount + extraCount < HashIndex.maximumCapacity, "too many public addresses")
    let spaces = PortSpace.count(poolAddresses: capacity.poolAddresses)
    let memory = CommonMemory(
      bindings: MappedMemory(byteCount: (directCount + extraCount) * 32, hugePages: true),
      extra: MappedMemory(byteCount: extraCount * 8),
      pool: MappedMemory(byteCount: capacity.poolAddresses * 8),
      taken: MappedMemory(byteCount: spaces * PortMap.mapWords * 8),
      offered: MappedMemory(byteCount: spaces * PortMap.mapWords * 8),
      forwards: MappedMemory(byteCount: PortForwardList.byteCount(capacity.forwards)),
      epochs: MappedMemory(byteCount: Epochs.byteCount + 64))
    common = memory
    bindings = BindingStore(
      words: memory.bindings.words(count: (directCount + extraCount) * BindingStore.wordsPerBinding),
      extraPublic: memory.extra.words(count: extraCount),
      poolAddresses: memory.pool.words(count: capacity.poolAddresses),
      directCount: directCount, extraCount: extraCount)
    epochs = Epochs(memory: memory.epochs)
    readerClaims = memory.epochs.words(count: 1, at: Epochs.byteCount)

    portForwardList = PortForwardList(memory: memory.forwards, capacity: capacity.forwards)
    for (place, forward) in settings.forwards.enumerated() { portForwardList.add(forward, from: place) }
    let words = spaces * PortMap.mapWords
    let taken = memory.taken.array(of: UInt64.self, count: words)
    let offered = memory.offered.array(of: UInt64.self, count: words)
    for (place, pool) in settings.pool.enumerated() {
      bindings.poolAddresses[place] = UInt64(pool.address.rawValue)
      for transport in TransportProtocol.allCases {
        PortMap.offer(pool.ports, transport, in: offered, place: place)
      }
    }
    let capacity = capacity
    shards = (0..<settings.workers).map { worker in
      ShardMemory(
        settings, capacity, worker: worker, firstExtra: directCount + worker * capacity.extra,
        ports: (taken, offered))
    }
    sessions = shards.map(\.sessions)
  }

  /// The events of a worker's shard while it has subscribers. One thread reads them.
  public func events(worker: Int) -> EventRing { shards[worker].eventRing }

  /// A worker's part of a limit.
  static func share(_ limit: Int, of workers: Int) -> Int { (limit + workers - 1) / workers }

  /// The worker to which an inside host belongs.
  public func owner(of host: IPv4Address) -> Int {
    Int(((hash.ofAddress(host) & 0xFFFF_FFFF) &* UInt64(settings.workers)) >> 32)
  }

  /// The writer of a shard. One thread at a time may use it. All writers are made before the first is used.
  public func makeShard(worker: Int) -> Shard { Shard(table: self, memory: shards[worker], worker: worker) }
}
