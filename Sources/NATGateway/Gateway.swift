public import NATEngine
public import NATMemory
public import NATTable
public import NATWire

/// A NAT gateway between inside and outside interfaces: frames in, frames out.
///
/// It has no clock, no sockets and no configuration file: frames carry their time, and live capture and
/// replay drive the same code. Packets meet the steps listed in `Steps/PacketPath.swift`. Every frame ends
/// once: forwarded, answered, held, left to the kernel, or counted under one ``DropReason``.
///
/// To drive one: append frames to a ``FrameBatch``, call ``process(_:into:)`` until the batch is processed,
/// and send the frames of the ``Outbox`` after each call. Call ``advance(to:into:)`` while no frame arrives.
public struct Gateway: ~Copyable {
  public var translator: Translator
  public let counters: Counters
  var settings: Settings
  var lists: NetworkLists
  var interfaces: Interfaces
  var neighbourTables: NeighbourTables
  var insideBudget: ErrorBudget
  var outsideBudget: ErrorBudget
  var answers: AnswerLimiter
  var factsCache: AddressFactsCache
  var machineAddresses = MachineAddresses([])
  var unsolicited: UnsolicitedSYNs
  var datagrams: DatagramTable
  var identifications: Identifications
  var waiting = WaitingFrames()
  /// The current packet before translation, if its next hop has to be resolved: see ``PacketContext/quoted``.
  let quoteBytes: Frame
  /// When something is due without a packet.
  var wakeUp = Instant.never
  var factsDue = Instant.never
  /// The latest time stamp so far; it never goes back.
  public internal(set) var clock = Instant(nanoseconds: 0)
  /// The first time stamp.
  public internal(set) var started: Instant?
  #if DEBUG
  var ledger = Ledger()
  #endif

  /// A decoded frame of the batch.
  struct Slot: BitwiseCopyable {
    var packet: Packet
    var outcome: DecodeOutcome
    /// The hash for the next round of prefetching; 0 for none.
    var hash: UInt64
    /// The binding of an inbound packet.
    var binding: BindingIndex?
  }

  private let slots: OwnedArray<Slot>
  /// Whether the slots hold the frames of the present batch.
  private var isPrepared = false
  private let memory: [MappedMemory]

  /// The settings in the form that the packet path reads: no arrays, no reference counts.
  struct Settings: BitwiseCopyable {
    /// Of the outside interface; a public address.
    var outsideAddress: IPv4Address
    /// Whether the machine's kernel has the outside address as well (`address: host`).
    var sharesOutside: Bool
    /// An address that the machine lost, while its bindings end; otherwise 0.0.0.0.
    var lostAddress = IPv4Address.any
    var exhaustion: ExhaustionAnswer
    var completesChecksums: Bool
    var answersUnsolicitedSYN: Bool
    var asksForNextHops: Bool
    var sessionsWorthPrefetching: Int
  }

  /// - Parameters:
  ///   - counters: their store must outlive the gateway.
  ///   - seed: for hash keys and port choice; secret in a live gateway.
  public init(_ settings: GatewaySettings, counters: Counters, random seed: RandomSource) {
    var random = seed
    let table = TranslationTable(settings.table, random: &random)
    self.init(settings, table: table, worker: 0, counters: counters, random: random)
  }

  /// One of several workers over a shared table.
  public init(
    _ settings: GatewaySettings, table: TranslationTable, worker: Int, counters: Counters,
    random: RandomSource
  ) {
    self.counters = counters
    var random = random
    let hash = KeyHash(from: &random)
    translator = Translator(
      table: table, tableSettings: settings.table, worker: worker, settings: settings.translator,
      outsideAddress: settings.outside.address, counters: counters, random: random)
    var memory: [MappedMemory] = []
    func map(_ byteCount: Int) -> MappedMemory {
      let mapped = MappedMemory(byteCount: byteCount)
      memory.append(mapped)
      return mapped
    }
    lists = NetworkLists(settings)
    interfaces = Interfaces(settings)
    neighbourTables = NeighbourTables(interfaces, hash: hash)
    slots = map(FrameBatch.capacity * MemoryLayout<Slot>.stride).array(
      of: Slot.self, count: FrameBatch.capacity)
    answers = AnswerLimiter(memory: map(AnswerLimiter.byteCount), hash: hash)
    factsCache = AddressFactsCache(memory: map(AddressFactsCache.byteCount), key: random.next())
    unsolicited = UnsolicitedSYNs(
      entries: map(UnsolicitedSYNs.entryBytes), bytes: map(UnsolicitedSYNs.frameBytes),
      index: map(UnsolicitedSYNs.indexBytes), hash: hash)
    datagrams = DatagramTable(settings.fragments, hash: hash)
    identifications = Identifications(lifetime: settings.fragments.lifetime, hash: hash)
    insideBudget = ErrorBudget(perSecond: settings.icmpErrorsPerSecond)
    outsideBudget = ErrorBudget(perSecond: settings.icmpErrorsPerSecond)
    quoteBytes = map(Packet.networkOffset + Gateway.quoteLength).frame
    if settings.asksForNextHops { factsDue = Instant(nanoseconds: 0) }
    wakeUp = factsDue
    self.memory = memory
    self.settings = Settings(
      outsideAddress: settings.outside.address, sharesOutside: settings.outside.isShared,
      exhaustion: settings.exhaustion,
      completesChecksums: settings.completesChecksums,
      answersUnsolicitedSYN: settings.answersUnsolicitedSYN, asksForNextHops: settings.asksForNextHops,
      sessionsWorthPrefetching: settings.sessionsWorthPrefetching)
    #if DEBUG
    ledger.unaccounted = framesWithoutEnd
    #endif
  }

  /// Fragments that wait for the first of their datagram: received, and neither forwarded nor dropped yet.
  public var heldFragments: Int { datagrams.heldCount }

  /// Processes the frames of a batch in their order. The frames to send are in the outbox afterwards.
  ///
  /// Returns early when the outbox might become full: send its frames, clear it, and call again until
  /// `batch.processed == batch.count`.
  /// - Complexity: O(1) a packet of at most MTU size, amortized.
  public mutating func process(_ batch: inout FrameBatch, into outbox: inout Outbox) {
    // Decided once for a batch: the table may grow past the number while the batch waits for the outbox.
    if batch.processed == 0 {
      isPrepared = translator.shard.counts.sessions >= settings.sessionsWorthPrefetching
      if isPrepared { prepare(batch) }
    }
    while batch.processed < batch.count, outbox.hasRoomForAnyPacket {
      let index = batch.processed
      let entry = batch[index]
      if wakeUp <= entry.instant {
        wake(at: entry.instant, &outbox)
        continue
      }
      batch.processed = index &+ 1
      if isPrepared {
        var packet = slots[index].packet
        receiveFrame(slots[index].outcome, &packet, entry, &outbox)
      } else {
        var packet = Packet(frame: entry.frame)
        let outcome = Packet.decode(
          entry.frame, link: entry.link, wireLength: entry.wireLength, into: &packet)
        receiveFrame(outcome, &packet, entry, &outbox)
      }
    }
    if settings.lostAddress != .any { removeFramesFromLostAddress(&outbox) }
  }

  @inline(__always)
  private mutating func receiveFrame(
    _ outcome: DecodeOutcome, _ packet: inout Packet, _ entry: FrameBatch.Entry, _ outbox: inout Outbox
  ) {
    let now = max(clock, entry.instant)
    clock = now
    if started == nil { start(at: now) }
    counters.countReceived(entry.interface, bytes: entry.frame.count)
    translator.shard.advance(to: now)
    if now > datagrams.quietUntil { endDueDatagrams(at: now) }
    #if DEBUG
    let before = before
    #endif
    switch outcome {
    case .ipv4: receivePacket(&packet, entry, at: now, &outbox)
    case .arp: receiveARP(packet.frame, from: entry.interface, at: now, &outbox)
    case .fault(let fault): counters.countDrop(DropReason(fault))
    }
    #if DEBUG
    checkEnd(of: outcome, before)
    #endif
  }

  @inline(never)
  private mutating func start(at now: Instant) {
    started = now
    translator.shard.startLifetimes(at: now)
  }

  /// Decodes all frames, then prefetches the cache lines that they will need. Three rounds, because each
  /// needs the lines of the one before. So the cache misses of a batch overlap. All of this is a hint: each
  /// packet is looked up again in its turn.
  @inline(never)
  private func prepare(_ batch: borrowing FrameBatch) {
    for index in 0..<batch.count {
      let entry = batch[index]
      var slot = Slot(packet: Packet(frame: entry.frame), outcome: .arp, hash: 0, binding: nil)
      slot.outcome = Packet.decode(
        entry.frame, link: entry.link, wireLength: entry.wireLength, into: &slot.packet)
      if case .ipv4 = slot.outcome, let transport = slot.packet.transport {
        if entry.side == .inside {
          slot.hash = translator.shard.prefetchBinding(
            transport, private: Endpoint(slot.packet.source, slot.packet.sourcePort))
          factsCache.prefetch(slot.packet.source)
        } else if let role = translator.role(of: slot.packet.destination), role.poolAddress >= 0 {
          let binding = translator.shard.prefetchBinding(
            poolAddress: Int(role.poolAddress), transport, port: slot.packet.destinationPort)
          slot.hash = translator.shard.prefetchSessionIndex(
            binding,
            remote: Translator.remote(transport, slot.packet.source, slot.packet.sourcePort))
          slot.binding = binding
        }
      }
      slots[index] = slot
    }
    for index in 0..<batch.count where batch[index].side == .inside {
      let packet = slots[index].packet
      guard slots[index].hash != 0, let transport = packet.transport else { continue }
      slots[index].hash =
        if let binding = translator.shard.guessBinding(slots[index].hash) {
          translator.shard.prefetchSessionIndex(
            binding, remote: Translator.remote(transport, packet.destination, packet.destinationPort))
        } else {
          0
        }
    }
    for index in 0..<batch.count where slots[index].hash != 0 {
      translator.shard.prefetchSession(slots[index].hash)
      if let binding = slots[index].binding {
        factsCache.prefetch(translator.shard.bindings.privateEndpoint(of: binding).address)
      }
    }
  }

  // MARK: Networks

  @inline(__always) var routes: Routes { lists.routes }
  @inline(__always) var insideNetworks: NetworkList { lists.insideNetworks }
  @inline(__always) var exempt: NetworkList { lists.exempt }
}
