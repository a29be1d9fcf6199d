import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATGateway
import NATTable
import NATWire

/// Keeps the state of a gateway in a file, so that bindings, sessions and ports in hold-down survive a
/// restart.
///
/// The worker saves its table in short steps between its rounds; this actor writes each step to the file.
/// While the state waits for the machine's addresses, no snapshot replaces the file.
actor StateKeeper: Component {
  private let path: String
  private let interval: UInt64
  private let waits: Bool
  /// The first worker's mailbox. The snapshot of several workers would need a part for each.
  private let mailbox: Mailbox
  private let logger: Logger
  private let started = LiveClock.now
  private var file: StateFile
  /// Whether the daemon is still starting.
  private var isStarting = false
  private var isSaving = false
  private var waiting: [CheckedContinuation<Void, Never>] = []
  /// Why the state cannot be saved.
  private(set) var fault: String?
  /// The state that waits for the machine's addresses.
  private(set) var held: HeldTable?
  private var restored: RestoredDocument

  /// - Parameter waits: whether the machine's addresses are unknown.
  /// - Returns: nil if the configuration keeps no state.
  init?(_ state: Configuration.State, _ workers: WorkerSet, waits: Bool = false, logger: Logger) {
    guard let path = state.file else { return nil }
    self.path = path
    file = StateFile(path: path)
    interval = state.intervalNanoseconds
    self.waits = waits
    mailbox = workers.members[0].mailbox
    self.logger = logger
    restored = RestoredDocument(file: path, outcome: .none)
  }

  // MARK: Restoring

  /// Reads the file, and logs what is unusable.
  /// - Returns: the table to restore before the first packet; nil if there is none, or it has to wait.
  func load() -> HeldTable? {
    do throws(SnapshotWriter.Fault) {
      // Report a file that cannot be written now, not at the first snapshot.
      _ = try file.begin(SnapshotHeader(clock: started, unixNanoseconds: 0, started: started))
    } catch {
      _ = failed(error)
      if error.isAnothers {
        refused(error.description)
        return nil
      }
    }
    let snapshot: TableSnapshot
    do throws(SnapshotFile.Fault) {
      snapshot = try SnapshotFile.load(path: path)
    } catch {
      if error.kind == .missing {
        logger.info("no state to restore", metadata: ["file": "\(path)"])
      } else {
        refused(error.description)
      }
      return nil
    }
    let (offset, clockWentBack) = snapshot.header.offset(
      toClock: LiveClock.now, unixNanoseconds: LiveClock.unixNanoseconds, boot: LiveClock.boot)
    if clockWentBack {
      logger.warning("the clock is behind that of the state: no time counts as passed since")
    }
    let table = HeldTable(snapshot: snapshot, offset: offset)
    guard waits, snapshot.counts.sessions + snapshot.counts.ports > 0 else { return table }
    held = table
    restored = RestoredDocument(
      file: path, outcome: .waiting, reason: "the machine's addresses are not known yet")
    logger.notice(
      "the state waits for the machine's addresses",
      metadata: ["file": "\(path)", "sessions": "\(snapshot.counts.sessions)"])
    return nil
  }

  private func refused(_ reason: String) {
    restored = RestoredDocument(file: path, outcome: .refused, reason: reason)
    logger.warning("state not restored, starting empty", metadata: ["reason": "\(reason)"])
  }

  /// Records and logs what was restored.
  func took(_ table: HeldTable, _ result: RestoredTable) {
    held = nil
    let now = LiveClock.now
    restored = RestoredDocument(file: path, outcome: .restored)
    restored.age = table.age(at: now)
    restored.sessions = result.sessions
    restored.bindings = result.bindings
    restored.restingPorts = result.heldPorts
    restored.expired = result.expired
    restored.notAllowed = result.notAllowed
    restored.withoutRoom = result.withoutRoom
    restored.contradicting = result.contradicting
    let figures: Logger.Metadata = [
      "file": "\(path)", "age": "\(table.age(at: now).nanoseconds / 1_000_000_000)s",
      "sessions": "\(result.sessions)", "bindings": "\(result.bindings)",
      "restingPorts": "\(result.heldPorts)", "expired": "\(result.expired)",
      "notAllowed": "\(result.notAllowed)", "withoutRoom": "\(result.withoutRoom)",
      "contradicting": "\(result.contradicting)",
    ]
    if result.isEmpty, table.snapshot.counts.sessions + table.snapshot.counts.ports > 0 {
      logger.warning("nothing of the state could be restored, starting empty", metadata: figures)
    } else {
      logger.notice("state restored", metadata: figures)
    }
  }

  /// The result of restoring the state of an earlier daemon.
  var document: RestoredDocument {
    var document = restored
    if let held { document.age = held.age(at: LiveClock.now) }
    return document
  }

  var conditions: [Condition] { fault.map { [Condition(reason: $0)] } ?? [] }

  // MARK: Saving

  func start() { isStarting = true }

  /// Saves every `state.interval` until the task is cancelled. Logs when saving begins to fail and when it
  /// works again.
  func run() async {
    isStarting = false
    while true {
      do {
        try await Task.sleep(nanoseconds: interval)
      } catch {
        return
      }
      forgetOutdated()
      _ = try? await save()
    }
  }

  /// Drops a waiting state once all its sessions have expired.
  private func forgetOutdated() {
    let now = LiveClock.now
    guard let held, held.isOutdated(at: now) else { return }
    self.held = nil
    restored = RestoredDocument(file: path, outcome: .restored)
    restored.age = held.age(at: now)
    restored.expired = held.snapshot.counts.sessions
    logger.notice(
      "the time of the state that waited for the machine's addresses is over",
      metadata: ["file": "\(path)", "expired": "\(restored.expired)"])
  }

  /// Saves the current table.
  /// - Throws: `busy`, `state-waits`, `not-written`, `stopping`.
  func save() async throws(ControlError) -> SnapshotDocument {
    guard !isSaving else {
      throw ControlError(status: 409, reason: "busy", "a snapshot is being written; try again")
    }
    guard held == nil else {
      throw ControlError(
        status: 409, reason: "state-waits",
        "the state in \(path) waits for the machine's addresses; a snapshot would take its place")
    }
    isSaving = true
    defer { endSaving() }
    let begin = LiveClock.now
    guard var job = await mailbox.perform(SaveTable()) else { throw .stopping }
    do throws(SnapshotWriter.Fault) {
      var writer = try file.begin(header(job))
      try writer.append(job.words)
      while !job.walk.isAtEnd {
        guard let next = await mailbox.perform(SaveTable(job.walk)) else { break }
        job = next
        try writer.append(job.words)
      }
      if job.walk.isAtEnd { return try finish(writer, job, since: begin) }
    } catch {
      throw failed(error)
    }
    throw .stopping
  }

  /// Stops the worker and saves its final table. A snapshot in progress is finished first.
  func stop() async {
    // If the daemon has not started, the file stays as it is.
    guard !isStarting else { return }
    if isSaving { await withCheckedContinuation { waiting.append($0) } }
    guard held == nil else {
      logger.notice(
        "the state still waits for the machine's addresses, its file stays", metadata: ["file": "\(path)"])
      return
    }
    isSaving = true
    defer { endSaving() }
    let begin = LiveClock.now
    guard let job = await mailbox.stop(after: SaveTable(limit: .max)) else { return }
    do throws(SnapshotWriter.Fault) {
      var writer = try file.begin(header(job))
      try writer.append(job.words)
      let document = try finish(writer, job, since: begin)
      logger.notice(
        "state saved", metadata: ["file": "\(path)", "sessions": "\(document.sessions)"])
    } catch {
      _ = failed(error)
    }
  }

  private func endSaving() {
    isSaving = false
    for continuation in waiting { continuation.resume() }
    waiting = []
  }

  private func header(_ job: SaveTable) -> SnapshotHeader {
    // Read both clocks one right after the other.
    var header = SnapshotHeader(
      clock: job.clock,
      unixNanoseconds: LiveClock.unixNanoseconds &- (LiveClock.now.nanoseconds &- job.clock.nanoseconds),
      started: started)
    header.boot = LiveClock.boot
    header.tracksWindows = job.tracksWindows
    return header
  }

  private func finish(
    _ writer: consuming SnapshotWriter, _ job: SaveTable, since begin: Instant
  ) throws(SnapshotWriter.Fault) -> SnapshotDocument {
    let bytes = try file.commit(writer, job.walk.counts)
    if fault != nil { logger.notice("the state can be saved again", metadata: ["file": "\(path)"]) }
    fault = nil
    return SnapshotDocument(
      file: path, sessions: job.walk.counts.sessions, restingPorts: job.walk.counts.ports, bytes: bytes,
      duration: Seconds(from: begin, to: LiveClock.now))
  }

  private func failed(_ fault: SnapshotWriter.Fault) -> ControlError {
    if self.fault == nil { logger.error("state not saved", metadata: ["reason": "\(fault)"]) }
    self.fault = "the state is not saved: \(fault)"
    return ControlError(status: 500, reason: "not-written", "\(fault)")
  }
}

extension HeldTable {
  /// The time since the snapshot was taken, as far as it is known.
  func age(at now: Instant) -> Seconds { Seconds(from: snapshot.header.clock.shifted(by: offset), to: now) }
}
