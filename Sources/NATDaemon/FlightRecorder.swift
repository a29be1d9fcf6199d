import Glibc
import NATComposition
import NATConfiguration
import NATControl
import NATGateway
import NATPacketIO
import NATTable
import NATWire

/// Steers the recorder of a worker, and writes what it held.
actor FlightRecorder {
  private let settings: Configuration.Record
  private let mailbox: Mailbox
  /// When the gateway started: forwards are as old.
  private let started: Instant

  init(_ settings: Configuration.Record, _ mailbox: Mailbox, started: Instant) {
    self.settings = settings
    self.mailbox = mailbox
    self.started = started
  }

  /// Records from the start where that is configured.
  func begin() async {
    if settings.isActive { _ = try? await on(nil) }
  }

  func on(_ content: RecordDocument.Content?) async throws(ControlError) -> RecordDocument {
    let keepsHeaders = content.map { $0 == .headers } ?? (settings.content == .headers)
    let wanted = Recorder.Settings(
      keepsHeaders: keepsHeaders, span: settings.windowNanoseconds / 2,
      bytes: Int(settings.memoryBytes) / Recorder.stretchCount)
    guard await mailbox.perform({ pipeline, now in pipeline.record(wanted, at: now) }) != nil else {
      throw .stopping
    }
    return try await status()
  }

  func off() async throws(ControlError) -> RecordDocument {
    guard await mailbox.perform({ pipeline, now in pipeline.record(nil, at: now) }) != nil else {
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

  /// What operators change is in no capture: what is recorded begins anew behind it.
  func beginAnew() async {
    _ = await mailbox.perform { pipeline, now in
      if let settings = pipeline.recording.settings { _ = pipeline.record(settings, at: now) }
    }
  }

  /// Writes what was recorded into a new directory; the recorder begins anew.
  func dump(to directory: String, _ configuration: Configuration) async throws(ControlError) -> RecordDocument
  {
    guard directory.hasPrefix("/") else {
      throw ControlError(
        status: 400, reason: "bad-directory",
        "directory: found \"\(directory)\"; expected the path of a directory to be made, from the root")
    }
    guard try await status().isRecording else {
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
    let taken = await mailbox.perform { pipeline, now in
      pipeline.record(pipeline.recording.settings, at: now)
    }
    guard let recording = taken else { throw .stopping }
    do {
      try RecordingFiles(recording, configuration, started: started).write(to: directory)
    } catch {
      throw ControlError(status: 500, reason: "not-written", "\(error)")
    }
    var document = document(RecordedFigures(recording), until: recording.lastFrame)
    document.directory = directory
    return document
  }

  private func document(_ figures: RecordedFigures, until end: Instant) -> RecordDocument {
    RecordDocument(
      isRecording: figures.settings != nil,
      content: figures.settings?.keepsHeaders ?? (settings.content == .headers) ? .headers : .packets,
      packets: figures.packets, bytes: figures.bytes,
      span: figures.begin.map { Seconds(from: $0, to: end) } ?? Seconds(nanoseconds: 0))
  }
}

/// How much is recorded, read on the worker.
private struct RecordedFigures: Sendable {
  let settings: Recorder.Settings?
  let packets: Int
  let bytes: Int
  let begin: Instant?

  init(_ recording: Recording) {
    settings = recording.settings
    packets = recording.stretches.reduce(0) { $0 + $1.frameCount }
    bytes = recording.stretches.reduce(0) { $0 + $1.byteCount }
    begin = recording.stretches.first?.table.clock
  }
}
