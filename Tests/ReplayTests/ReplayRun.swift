import Foundation
import NATCaptureFiles
import NATComposition
import NATConfiguration
import NATControl
import TestSupport

/// The result of a replay.
struct ReplayOutcome {
  var inside: [Record]
  var outside: [Record]
  /// As the command writes them.
  var tableText: String
  var statsText: String
  var table: TableDocument
  var stats: StatsDocument
}

/// Puts captures through the gateway in this process, as `portico replay` does.
func replay(_ configuration: Configuration, inside: URL?, outside: URL?, seed: UInt64 = 1) throws
  -> ReplayOutcome
{
  try withTemporaryFolder { folder in
    let insideOut = folder.appending(path: "inside.pcap")
    let outsideOut = folder.appending(path: "outside.pcap")
    let insideReader: CaptureReader? = if let inside { try CaptureReader(path: inside.path) } else { nil }
    let outsideReader: CaptureReader? = if let outside { try CaptureReader(path: outside.path) } else { nil }
    var captures = CaptureMerge(inside: insideReader, outside: outsideReader)
    var replay = Replay(
      configuration, seed: seed, insideOut: try CaptureWriter(path: insideOut.path),
      outsideOut: try CaptureWriter(path: outsideOut.path))
    let damages = try replay.run(&captures)
    guard damages.isEmpty else { throw Capture.Unreadable(description: "\(damages)") }
    try replay.close()
    let (table, stats) = (replay.tableDocument, replay.statsDocument)
    return ReplayOutcome(
      inside: try Capture.read(insideOut), outside: try Capture.read(outsideOut), tableText: table.json,
      statsText: stats.json, table: table, stats: stats)
  }
}

/// The same for packets in memory.
func replay(
  _ configuration: Configuration, inside: [Record], outside: [Record], insideLink: Capture.Link = .ethernet,
  outsideLink: Capture.Link = .ethernet, seed: UInt64 = 1
) throws -> ReplayOutcome {
  try withTemporaryFolder { folder in
    let insideFile = folder.appending(path: "inside.pcap")
    let outsideFile = folder.appending(path: "outside.pcap")
    try Data(Capture.bytes(inside, link: insideLink)).write(to: insideFile)
    try Data(Capture.bytes(outside, link: outsideLink)).write(to: outsideFile)
    return try replay(configuration, inside: insideFile, outside: outsideFile, seed: seed)
  }
}
