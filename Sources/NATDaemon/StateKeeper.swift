import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATGateway
import NATTable
import NATWire

/// Keeps the state of a gateway in a file: bindings, sessions and resting ports outlive the process.
///
/// The worker saves its table in short steps between its rounds; writing is done here, one step behind the other.
actor StateKeeper {
  private let file: String
  private let interval: UInt64
  private let mailbox: Mailbox
  private let logger: Logger
  private let started = LiveClock.now
  private var isSaving = false
  private var isBroken = false

  /// Nil where no state is to be kept.
  init?(_ state: Configuration.State, _ mailbox: Mailbox, logger: Logger) {
    guard let file = state.file else { return nil }
    self.file = file
    interval = state.intervalNanoseconds
    self.mailbox = mailbox
    self.logger = logger
  }

  /// Gives a gateway, before its first packet, what the file holds, and logs what came of it.
  nonisolated func restore(_ gateway: inout Gateway) {
    let snapshot: TableSnapshot
    do throws(SnapshotFile.Fault) {
      snapshot = try SnapshotFile.load(path: file)
    } catch {
      if error.kind == .missing {
        logger.info("no state to restore", metadata: ["file": "\(file)"])
      } else {
        logger.warning("state not restored, starting empty", metadata: ["reason": "\(error)"])
      }
      return
    }
    let now = LiveClock.now
    let (offset, clockWentBack) = snapshot.header.offset(
      toClock: now, unixNanoseconds: LiveClock.unixNanoseconds, boot: LiveClock.boot)
    if clockWentBack {
      logger.warning("the clock is behind that of the state: no time counts as passed since")
    }
    let restored = gateway.restore(snapshot, offset: offset, at: now)
    let figures: Logger.Metadata = [
      "file": "\(file)", "sessions": "\(restored.sessions)", "bindings": "\(restored.bindings)",
      "restingPorts": "\(restored.restingPorts)", "expired": "\(restored.expired)",
      "notAllowed": "\(restored.notAllowed)", "withoutRoom": "\(restored.withoutRoom)",
      "contradicting": "\(restored.contradicting)",
    ]
    if restored.isEmpty, snapshot.counts.sessions + snapshot.counts.ports > 0 {
      logger.warning("nothing of the state could be restored, starting empty", metadata: figures)
    } else {
      logger.notice("state restored", metadata: figures)
    }
  }

  /// Saves now and then, until it is cancelled. A failure is logged when it begins, and when it is over.
  func run() async {
    while true {
      do {
        try await Task.sleep(nanoseconds: interval)
      } catch {
        return
      }
      _ = try? await save()
    }
  }

  /// Saves the table as it is.
  func save() async throws(ControlError) -> SnapshotDocument {
    guard !isSaving else {
      throw ControlError(status: 409, reason: "busy", "a snapshot is being written; try again")
    }
    isSaving = true
    defer { isSaving = false }
    let begin = LiveClock.now
    guard var job = await mailbox.perform(SaveTable()) else { throw .stopping }
    do throws(SnapshotWriter.Fault) {
      var writer = try SnapshotWriter(path: file, header(job))
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

  /// Stops the worker, and saves what it leaves.
  func stop() async {
    let begin = LiveClock.now
    guard let job = await mailbox.stop(after: SaveTable(limit: .max)) else { return }
    do throws(SnapshotWriter.Fault) {
      var writer = try SnapshotWriter(path: file, header(job))
      try writer.append(job.words)
      let document = try finish(writer, job, since: begin)
      logger.notice(
        "state saved", metadata: ["file": "\(file)", "sessions": "\(document.sessions)"])
    } catch {
      _ = failed(error)
    }
  }

  private func header(_ job: SaveTable) -> SnapshotHeader {
    // One clock beside the other, as near as can be.
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
    let bytes = try writer.commit(job.walk.counts)
    if isBroken { logger.notice("the state can be saved again", metadata: ["file": "\(file)"]) }
    isBroken = false
    return SnapshotDocument(
      file: file, sessions: job.walk.counts.sessions, restingPorts: job.walk.counts.ports, bytes: bytes,
      duration: Seconds(from: begin, to: LiveClock.now))
  }

  private func failed(_ fault: SnapshotWriter.Fault) -> ControlError {
    if !isBroken { logger.error("state not saved", metadata: ["reason": "\(fault)"]) }
    isBroken = true
    return ControlError(status: 500, reason: "not-written", "\(fault)")
  }
}
