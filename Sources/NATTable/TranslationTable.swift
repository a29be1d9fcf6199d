public import NATMemory
public import NATWire

/// The size and the rules of a translation table. Its capacity, with what ``reserve`` adds, is fixed when it is made.
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
  /// Whether the oldest transitory TCP sessions end where there is no room for new ones.
  public var evictsOldestTransitory = false
  /// Whether the windows of TCP connections are followed.
  public var tracksWindows = false
  /// Port forwards, on pool addresses and on others.
  public var forwards: [StaticForward] = []
  public var oneToOne: [StaticAddress] = []
  public var reserve = TableReserve()

  public init(pool: [PoolAddress]) { self.pool = pool }
}

/// A port forward of the operator's: a binding that exists without sessions.
public struct StaticForward: Sendable, Hashable {
  public var transport: TransportProtocol
  public var `public`: Endpoint
  public var `private`: Endpoint
  public var terms: ForwardTerms

  public init(
    _ transport: TransportProtocol, public: Endpoint, private: Endpoint, terms: ForwardTerms = ForwardTerms()
  ) {
    self.transport = transport
    self.public = `public`
    self.private = `private`
    self.terms = terms
  }
}

/// A 1:1 mapping: every protocol and port of a public address belongs to one inside host.
public struct StaticAddress: BitwiseCopyable, Sendable, Equatable {
  public var `public`: IPv4Address
  public var `private`: IPv4Address

  public init(public: IPv4Address, private: IPv4Address) {
    self.public = `public`
    self.private = `private`
  }
}

/// The translation table: bindings between private and public endpoints, and the sessions over them.
///
/// It is divided into shards, one a worker. Only its worker writes a shard, with plain stores; anyone may read at any
/// time and never waits. Nothing ever moves, so a reader that walks the table sees each entry that lives through
/// its walk exactly once.
///
/// The bindings of pool addresses lie in one array indexed by public endpoint; the way from a private endpoint, and
/// that from a binding and a remote endpoint to the session, go through a ``HashIndex``. Memory is mapped at full
/// size and costs what is touched: 32 B + 11.4 B a binding, 80 B + 11.4 B a session, and 11.4 B a remote address
/// that a binding is open to.
public final class TranslationTable: Sendable {
  public let bindings: BindingStore
  /// The sessions of each shard.
  public let sessions: [SessionStore]
  let shards: [ShardMemory]
  public let capacity: TableCapacity
  let settings: TableSettings
  let forwardList: ForwardList
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
    let directCount = capacity.poolAddresses * BindingIndex.portsPerAddress
    let extraCount = capacity.extra * settings.workers
    precondition(directCount + extraCount < HashIndex.maximumCapacity, "too many public addresses")
    let memory = CommonMemory(
      bindings: MappedMemory(byteCount: (directCount + extraCount) * 32, hugePages: true),
      extra: MappedMemory(byteCount: extraCount * 8),
      pool: MappedMemory(byteCount: capacity.poolAddresses * 8),
      taken: MappedMemory(byteCount: capacity.poolAddresses * 3 * PortMap.mapWords * 8),
      offered: MappedMemory(byteCount: capacity.poolAddresses * 3 * PortMap.mapWords * 8),
      forwards: MappedMemory(byteCount: ForwardList.byteCount(capacity.forwards)),
      epochs: MappedMemory(byteCount: Epochs.byteCount + 64))
    common = memory
    bindings = BindingStore(
      words: memory.bindings.words(count: (directCount + extraCount) * BindingStore.wordsPerBinding),
      extraPublic: memory.extra.words(count: extraCount),
      poolAddresses: memory.pool.words(count: capacity.poolAddresses),
      directCount: directCount, extraCount: extraCount)
    epochs = Epochs(memory: memory.epochs)
    readerClaims = memory.epochs.words(count: 1, at: Epochs.byteCount)

    forwardList = ForwardList(memory: memory.forwards, capacity: capacity.forwards)
    for (place, forward) in settings.forwards.enumerated() { forwardList.add(forward, from: place) }
    let words = capacity.poolAddresses * 3 * PortMap.mapWords
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
        settings, capacity, firstExtra: directCount + worker * capacity.extra, taken: taken, offered: offered)
    }
    sessions = shards.map(\.sessions)
  }

  /// What happens in a worker's shard while somebody listens; one thread reads it.
  public func events(worker: Int) -> EventRing { shards[worker].eventRing }

  /// A worker's part of a limit.
  static func share(_ limit: Int, of workers: Int) -> Int { (limit + workers - 1) / workers }

  /// The worker to which an inside host belongs.
  public func owner(of host: IPv4Address) -> Int {
    Int(((hash.ofAddress(host) & 0xFFFF_FFFF) &* UInt64(settings.workers)) >> 32)
  }

  /// The writer of a shard. Each shard has one, used by one thread at a time; all are made before the first is used.
  public func makeShard(worker: Int) -> Shard { Shard(table: self, memory: shards[worker], worker: worker) }
}

/// The memory of one shard.
struct ShardMemory: @unchecked Sendable {
  let sessions: SessionStore
  let sessionLinks: MappedMemory
  let wheelLinks: MappedMemory
  let wheelHeads: MappedMemory
  let wheelBitmaps: MappedMemory
  let forward: HashIndex
  let bySession: HashIndex
  let permits: HashIndex
  let byPublic: HashIndex
  let hosts: MappedMemory
  let hostIndex: HashIndex
  let restChains: MappedMemory
  let summaries: MappedMemory
  let portMaps: MappedMemory
  let pools: MappedMemory
  let lifetimeDurations: MappedMemory
  let lifetimeTCP: MappedMemory
  let lifetimeUDP: MappedMemory
  let windows: OwnedArray<ConnectionWindows>?
  let evictionLinks: (queues: MappedMemory, links: MappedMemory)?
  let oneToOneIndexes: (byPublic: HashIndex, byPrivate: HashIndex)
  let published: AtomicWords
  let taken: OwnedArray<UInt64>
  let offered: OwnedArray<UInt64>
  let poolOrder: MappedMemory
  let oneToOne: MappedMemory
  let forwardTerms: MappedMemory
  let endedRing: EventRing
  let eventRing: EventRing
  let extraCount: Int
  let firstExtra: Int
  let hostCapacity: Int
  private let keep: [MappedMemory]

  init(
    _ settings: TableSettings, _ capacity: TableCapacity, firstExtra: Int, taken: OwnedArray<UInt64>,
    offered: OwnedArray<UInt64>
  ) {
    self.taken = taken
    self.offered = offered
    let extraCount = capacity.extra
    self.extraCount = extraCount
    self.firstExtra = firstExtra
    let bindingLimit = TranslationTable.share(capacity.bindings, of: settings.workers)
    let sessionLimit = TranslationTable.share(capacity.sessions, of: settings.workers)
    // Records that readers still look at are not used again at once: one in 64 more than the limit covers them.
    let records = sessionLimit + max(64, sessionLimit / 64)
    hostCapacity = bindingLimit + extraCount + 1

    var keep: [MappedMemory] = []
    func map(_ byteCount: Int, hugePages: Bool = false) -> MappedMemory {
      let memory = MappedMemory(byteCount: byteCount, hugePages: hugePages)
      keep.append(memory)
      return memory
    }
    func index(_ capacity: Int) -> HashIndex {
      HashIndex(memory: map(HashIndex.byteCount(capacity: capacity), hugePages: true), capacity: capacity)
    }
    sessions = SessionStore(
      words: map(records * 64, hugePages: true).words(count: records * SessionStore.wordsPerSession),
      capacity: records)
    sessionLinks = map(records * 8, hugePages: true)
    wheelLinks = map(records * 8, hugePages: true)
    wheelHeads = map(TimerWheel.headBytes)
    wheelBitmaps = map(TimerWheel.bitmapBytes)
    forward = index(bindingLimit + extraCount + capacity.forwards)
    bySession = index(sessionLimit)
    permits = index(sessionLimit)
    byPublic = index(max(1, extraCount))
    hosts = map(hostCapacity * Hosts.recordBytes)
    hostIndex = index(hostCapacity)
    restChains = map(RestingPorts.chainCount * 4)
    let maps = capacity.poolAddresses * 3
    poolOrder = map(capacity.poolAddresses * 4)
    oneToOne = map(capacity.oneToOne * MemoryLayout<StaticAddress>.stride)
    forwardTerms = map(capacity.forwards * ForwardTermsStore.recordBytes)
    endedRing = EventRing(memory: map(EventRing.byteCount(1 << 11)), capacity: 1 << 11)
    eventRing = EventRing(memory: map(EventRing.byteCount(1 << 16)), capacity: 1 << 16)
    summaries = map(maps * PortMap.summaryWords * 8)
    portMaps = map(maps * MemoryLayout<PortMap>.stride)
    pools = map(capacity.poolAddresses * MemoryLayout<PoolRecord>.stride)
    lifetimeDurations = map(LifetimeTable.byteCounts.durations)
    lifetimeTCP = map(LifetimeTable.byteCounts.classes)
    lifetimeUDP = map(LifetimeTable.byteCounts.classes)
    windows =
      settings.tracksWindows
      ? map(records * MemoryLayout<ConnectionWindows>.stride, hugePages: true).array(
        of: ConnectionWindows.self, count: records) : nil
    if settings.evictsOldestTransitory {
      let bytes = HostQueues.byteCounts(hosts: hostCapacity, sessions: records)
      evictionLinks = (map(bytes.queues), map(bytes.links, hugePages: true))
    } else {
      evictionLinks = nil
    }
    oneToOneIndexes = (index(max(1, capacity.oneToOne)), index(max(1, capacity.oneToOne)))
    published = map(64).words(count: 8)
    self.keep = keep
  }
}

/// What a worker knows of a pool address.
struct PoolRecord: BitwiseCopyable {
  /// Hosts whose dynamic bindings count here.
  var hosts: UInt32 = 0
  /// Whether the place is an address's.
  var isPlaced = false
  /// Whether new bindings may draw from it.
  var isOpen = false
  /// ICMP, TCP, UDP: ports that are offered and not a static mapping's.
  var ports: (UInt32, UInt32, UInt32) = (0, 0, 0)
  /// Ports with a binding: ICMP, TCP, UDP.
  var inUse: (UInt32, UInt32, UInt32) = (0, 0, 0)
  var resting: (UInt32, UInt32, UInt32) = (0, 0, 0)
}
