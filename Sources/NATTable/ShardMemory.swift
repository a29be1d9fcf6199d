import NATMemory

/// The memory of one shard, mapped once at the table's capacity.
struct ShardMemory: @unchecked Sendable {
  let sessions: SessionStore
  /// The binding's list of sessions, both ways.
  let listLinks: OwnedArray<TimerWheel.Link>
  /// The timer wheel's list, both ways; for a retired record the list of retired records.
  let wheelLinks: OwnedArray<TimerWheel.Link>
  let wheelHeads: MappedMemory
  let wheelBitmaps: MappedMemory
  let windows: OwnedArray<ConnectionWindows>?
  let hostQueues: HostQueues?
  let indexes: ShardIndexes
  let hosts: MappedMemory
  let heldRoots: MappedMemory
  let poolOrder: OwnedArray<UInt32>
  let pools: OwnedArray<PoolRecord>
  let portMaps: OwnedArray<PortMap>
  let offered: OwnedArray<UInt64>
  let oneToOne: OwnedArray<OneToOneMapping>
  let portForwardTerms: MappedMemory
  let lifetimes: LifetimeTable.Memory
  let endedRing: EventRing
  let eventRing: EventRing
  let published: AtomicWords
  let firstExtra: Int
  let hostCapacity: Int
  private let mappings: [MappedMemory]

  /// - Parameters:
  ///   - firstExtra: the first of the shard's places outside the pool.
  ///   - ports: the bits of taken and of offered ports. All shards share them.
  init(
    _ settings: TableSettings, _ capacity: TableCapacity, worker: Int, firstExtra: Int,
    ports: (taken: OwnedArray<UInt64>, offered: OwnedArray<UInt64>)
  ) {
    let bindings = TranslationTable.share(capacity.bindings, of: settings.workers)
    let sessionLimit = TranslationTable.share(capacity.sessions, of: settings.workers)
    // One record in 64 more than the limit, for retired records that readers still look at.
    let records = sessionLimit + max(64, sessionLimit / 64)
    self.firstExtra = firstExtra
    hostCapacity = bindings + capacity.extra + 1
    offered = ports.offered
    var map = Mappings()

    sessions = SessionStore(
      words: map.bytes(records * 64, hugePages: true).words(count: records * SessionStore.wordsPerSession),
      capacity: records)
    listLinks = map.array(records, hugePages: true)
    wheelLinks = map.array(records, hugePages: true)
    wheelHeads = map.bytes(TimerWheel.headBytes)
    wheelBitmaps = map.bytes(TimerWheel.bitmapBytes)
    windows = settings.tracksWindows ? map.array(records, hugePages: true) : nil
    if settings.evictsOldestTransitory {
      let bytes = HostQueues.byteCounts(hosts: hostCapacity, sessions: records)
      hostQueues = HostQueues(
        queues: map.bytes(bytes.queues), hosts: hostCapacity,
        links: map.bytes(bytes.links, hugePages: true), sessions: records)
    } else {
      hostQueues = nil
    }
    indexes = ShardIndexes(
      capacity, bindings: bindings, sessions: sessionLimit, hosts: hostCapacity, &map)
    hosts = map.bytes(hostCapacity * Hosts.recordBytes)
    heldRoots = map.bytes(HeldPorts.listCount * 4)
    poolOrder = map.array(capacity.poolAddresses)
    pools = map.array(capacity.poolAddresses)
    portMaps = ShardMemory.portMaps(capacity, ports, worker: worker, of: settings.workers, &map)
    oneToOne = map.array(capacity.oneToOne)
    portForwardTerms = map.bytes(capacity.forwards * PortForwardTermsStore.recordBytes)
    lifetimes = LifetimeTable.Memory(
      durations: map.array(RunningTimeout.count), tcpClasses: map.array(65536), udpClasses: map.array(65536))
    endedRing = map.ring(1 << 11)
    eventRing = map.ring(1 << 16)
    published = map.bytes(64).words(count: 8)
    mappings = map.all
  }

  private static func portMaps(
    _ capacity: TableCapacity, _ ports: (taken: OwnedArray<UInt64>, offered: OwnedArray<UInt64>),
    worker: Int, of workers: Int, _ map: inout Mappings
  ) -> OwnedArray<PortMap> {
    let count = PortSpace.count(poolAddresses: capacity.poolAddresses)
    let summaries: OwnedArray<UInt64> = map.array(count * PortMap.summaryWords)
    let maps: OwnedArray<PortMap> = map.array(count)
    for space in 0..<count {
      maps[space] = PortMap(
        ports, mapBase: space * PortMap.mapWords, summaries: summaries,
        summaryBase: space * PortMap.summaryWords, worker: worker, workers: workers)
    }
    return maps
  }
}

/// The indexes of one shard.
struct ShardIndexes {
  /// From private endpoint to binding.
  let byPrivate: HashIndex
  /// From binding and remote endpoint to session.
  let bySession: HashIndex
  /// From binding and remote address to a session that the inside host used.
  let permits: HashIndex
  /// From public endpoint to binding, outside the pool.
  let byPublic: HashIndex
  let hosts: HashIndex
  let oneToOneByPublic: HashIndex
  let oneToOneByPrivate: HashIndex

  fileprivate init(
    _ capacity: TableCapacity, bindings: Int, sessions: Int, hosts hostCapacity: Int, _ map: inout Mappings
  ) {
    byPrivate = map.index(bindings + capacity.extra + capacity.forwards)
    bySession = map.index(sessions)
    permits = map.index(sessions)
    byPublic = map.index(max(1, capacity.extra))
    hosts = map.index(hostCapacity)
    oneToOneByPublic = map.index(max(1, capacity.oneToOne))
    oneToOneByPrivate = map.index(max(1, capacity.oneToOne))
  }
}

/// Maps memory and keeps it mapped.
private struct Mappings {
  private(set) var all: [MappedMemory] = []

  mutating func bytes(_ count: Int, hugePages: Bool = false) -> MappedMemory {
    let memory = MappedMemory(byteCount: count, hugePages: hugePages)
    all.append(memory)
    return memory
  }

  mutating func array<Element: BitwiseCopyable>(_ count: Int, hugePages: Bool = false) -> OwnedArray<Element>
  {
    bytes(count * MemoryLayout<Element>.stride, hugePages: hugePages).array(of: Element.self, count: count)
  }

  mutating func index(_ capacity: Int) -> HashIndex {
    HashIndex(memory: bytes(HashIndex.byteCount(capacity: capacity), hugePages: true), capacity: capacity)
  }

  mutating func ring(_ capacity: Int) -> EventRing {
    EventRing(memory: bytes(EventRing.byteCount(capacity)), capacity: capacity)
  }
}

/// A worker's record of a pool address.
struct PoolRecord: BitwiseCopyable {
  /// Hosts that have this pool address.
  var hosts: UInt32 = 0
  /// Whether the place holds an address.
  var isPlaced = false
  /// Whether new bindings may draw from it.
  var isOpen = false
  /// Offered ports that no static mapping has.
  var ports = PerProtocol<UInt32>(0)
  /// Ports with a binding.
  var inUse = PerProtocol<UInt32>(0)
  /// Ports in hold-down.
  var held = PerProtocol<UInt32>(0)
}
