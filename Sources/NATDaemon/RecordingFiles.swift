import Glibc
import NATCaptureFiles
import NATConfiguration
import NATGateway
import NATSystem
import NATTable
import NATWire

/// Writes a recording into files for `portico replay`.
struct RecordingFiles {
  private let recording: Recording
  private let configuration: Configuration
  private let started: Instant
  /// The time of day at the zero of the gateway's clock, in nanoseconds since 1970 (UTC). Captures have time
  /// of day.
  private let epoch: UInt64

  init(_ recording: Recording, _ configuration: Configuration, started: Instant) {
    self.recording = recording
    self.configuration = configuration
    self.started = started
    epoch = LiveClock.unixNanoseconds &- LiveClock.now.nanoseconds
  }

  private static let names = [
    "before.state", "after.state", "inside.pcap", "outside.pcap", "portico.yaml", "README",
  ]

  /// Checks that a directory has room for `bytes`.
  static func requireRoom(_ bytes: Int, in directory: String) throws(SnapshotWriter.Fault) {
    var facts = statvfs()
    // Safety: the call does not keep the path; the structure is ours.
    guard unsafe statvfs(directory, &facts) == 0 else {
      throw SnapshotWriter.Fault("look at", directory, errno)
    }
    let free = Int(clamping: facts.f_bavail).multipliedReportingOverflow(by: Int(clamping: facts.f_frsize))
    guard facts.f_blocks == 0 || free.overflow || free.partialValue >= bytes else {
      throw SnapshotWriter.Fault(
        "cannot write to \(directory): found room for \(free.partialValue) bytes; expected \(bytes)")
    }
  }

  /// Removes the files and the directory.
  static func remove(from directory: String) {
    // Safety: the calls do not keep the paths.
    for name in names { _ = unsafe unlink(directory + "/" + name) }
    _ = unsafe rmdir(directory)
  }

  /// - Throws: `CaptureWriteFault`, `SnapshotWriter.Fault`.
  func write(to directory: String) throws {
    if let first = recording.stretches.first {
      try write(first.table, at: first.table.clock, to: directory + "/before.state")
      try write(
        recording.after, at: max(first.table.clock, recording.lastFrame), to: directory + "/after.state")
    }
    var inside = try CaptureWriter(path: directory + "/inside.pcap")
    var outside = try CaptureWriter(path: directory + "/outside.pcap")
    for stretch in recording.stretches {
      try stretch.forEach { frame, wireLength, instant, interface throws(CaptureWriteFault) in
        let stamp = instant.advanced(by: epoch)
        // Safety: the stretch owns the frame's memory.
        switch interface.side {
        case .inside: try unsafe inside.append(frame.unsafeBytes, wireLength: wireLength, at: stamp)
        case .outside: try unsafe outside.append(frame.unsafeBytes, wireLength: wireLength, at: stamp)
        }
      }
    }
    try inside.close()
    try outside.close()
    try write(configuration.yaml, to: directory + "/portico.yaml")
    try write(text, to: directory + "/README")
  }

  private func write(_ table: SaveTable, at clock: Instant, to path: String) throws(SnapshotWriter.Fault) {
    var header = SnapshotHeader(
      clock: clock, unixNanoseconds: clock.nanoseconds &+ epoch, started: started)
    header.tracksWindows = table.tracksWindows
    header.random = table.random
    var writer = try SnapshotWriter(path: path, header)
    try writer.append(table.words)
    close(try writer.commit(table.walk.counts).descriptor)
  }

  private func write(_ text: String, to path: String) throws(SnapshotWriter.Fault) {
    // Safety: the call does not keep the path.
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SnapshotWriter.Fault("create", path, errno) }
    defer { close(descriptor) }
    let code = writeAll(Array(text.utf8), to: descriptor)
    guard code == 0 else { throw SnapshotWriter.Fault("write", path, code) }
  }

  private var text: String {
    let kept =
      recording.settings?.keepsHeaders == true
      ? """
      Headers only: for reading. A replay drops packets that are not whole as captureTruncated. The tables in
      before.state and after.state are complete.
      """
      : """
      To replay the packets, from the table before the first one:

        portico replay --config portico.yaml --inside inside.pcap --outside outside.pcap --restore before.state

      To show the table after the last packet:

        portico replay --config portico.yaml --restore after.state
      """
    return """
      A recording of Portico: what came in on each side (inside.pcap, outside.pcap), the configuration in force
      (portico.yaml), the table before the first packet and after the last one (before.state, after.state).

      \(kept)

      """
  }
}
