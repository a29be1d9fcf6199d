import Glibc
import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATGateway
import NATSystem
import NATTable
import NATWire

/// Controls the flight recorder of the worker, and writes its recording into files.
actor FlightRecorder: Component, ChangeObserver {
  private let settings: Configuration.Record
  /// The first worker's mailbox. Recordings of several workers would have to be merged by time.
  private let mailbox: Mailbox
  /// When the gateway started; port forwards are as old.
  private let started: Instant
  private let logger: Logger

  init(_ settings: Configuration.Record, _ workers: WorkerSet, started: Instant, logger: Logger) {
    self.settings = settings
    mailbox = workers.members[0].mailbox
    self.started = started
    self.logger = logger
  }

  /// Records from the start if `record.active` says so.
  func start() async {
    if settings.isActive { _ = try? await on(nil) }
  }

  func follow(_ live: Configuration) async {
    await note(change: "the configuration, static mappings or the machine's addresses changed")
  }

  func on(_ content: RecordDocument.Content?) async throws(ControlError) -> RecordDocument {
    let keepsHeaders = content.map { $0 == .headers } ?? (settings.content == .headers)
    let wanted = Recorder.Settings(
      keepsHeaders: keepsHeaders, span: settings.windowNanoseconds / 2,
      bytes: Int(settings.memoryBytes) / Recorder.stretchCount)
    guard await mailbox.perform({ pipeline, now in pipeline.record(wanted, with: .on, at: now) }) != nil
    else {
      throw .stopping
    }
    return try await status()
  }

  func off() async throws(ControlError) -> RecordDocument {
    guard await mailbox.perform({ pipeline, now in pipeline.record(nil, with: .on, at: now) }) != nil else {
      throw .stopping
    }
    return try await status()
  }

  func status() async throws(ControlError) -> RecordDocument {
    guard let recording = await mailbox.perform({ pipeline, _ in RecordedFigures(pipeline.recording) }) else {
      throw .stopping
    }
    return document(recording, until: LiveClock.now)
  }

  /// Logs that a change restarts the recording.
  func note(change: String) async {
    guard let status = try? await status(), status.isRecording else { return }
    logger.notice("the recording starts again", metadata: ["because": "\(change)"])
  }

  /// Writes the recording into a new directory, and starts a new recording.
  func dump(to directory: String, _ configuration: Configuration) async throws(ControlError) -> RecordDocument
  {
    guard directory.hasPrefix("/") else {
      throw ControlError(
        status: 400, reason: "bad-directory",
        "directory: found \"\(directory)\"; expected the path of a directory to be made, from the root")
    }
    let held = await mailbox.perform { pipeline, _ in RecordedFigures(pipeline.recording) }
    guard let held else { throw .stopping }
    guard held.settings != nil else {
      throw ControlError(
        status: 409, reason: "not-recording", "nothing is recorded; switch it on first (`portico record on`)")
    }
    // Safety: the call does not keep the path.
    guard unsafe mkdir(directory, 0o700) == 0 else {
      throw ControlError(
        status: 409, reason: "bad-directory",
        "cannot make \(directory): \(errorText(errno)); expected one that is not there yet"
      )
    }
    do throws(SnapshotWriter.Fault) {
      // Check before the next step, which takes the recording out of memory.
      try RecordingFiles.requireRoom(held.fileBytes, in: directory)
    } catch {
      _ = unsafe rmdir(directory)
      throw ControlError(status: 500, reason: "not-written", "\(error)")
    }
    let taken = await mailbox.perform { pipeline, now in
      pipeline.record(pipeline.recording.settings, with: .dump, at: now)
    }
    guard let recording = taken else { throw .stopping }
    do {
      try RecordingFiles(recording, configuration, started: started).write(to: directory)
    } catch {
      RecordingFiles.remove(from: directory)
      throw ControlError(status: 500, reason: "not-written", "\(error)")
    }
    var document = document(RecordedFigures(recording), until: recording.lastFrame)
    document.directory = directory
    return document
  }

  private func document(_ figures: RecordedFigures, until end: Instant) -> RecordDocument {
    var document = RecordDocument(
      isRecording: figures.settings != nil,
      content: figures.settings?.keepsHeaders ?? (settings.content == .headers) ? .headers : .packets)
    document.packets = figures.packets
    document.bytes = figures.bytes
    document.span = figures.begin.map { Seconds(from: $0, to: end) } ?? .zero
    document.begin = figures.settings == nil ? nil : figures.reason
    return document
  }
}

/// How much is recorded, read on the worker.
private struct RecordedFigures: Sendable {
  let settings: Recorder.Settings?
  let packets: Int
  let bytes: Int
  let begin: Instant?
  let reason: RecordDocument.Begin
  /// Roughly the bytes of a dump: captures, two tables and small files.
  let fileBytes: Int

  init(_ recording: Recording) {
    settings = recording.settings
    packets = recording.stretches.reduce(0) { $0 + $1.frameCount }
    bytes = recording.stretches.reduce(0) { $0 + $1.byteCount }
    begin = recording.stretches.first?.table.clock
    reason = recording.begin
    fileBytes =
      bytes + 16 * packets + 16 * (recording.stretches.first?.table.words.count ?? 0) + 1 << 16
  }
}
