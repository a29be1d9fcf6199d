import ArgumentParser
import Foundation
import Glibc
import NATCaptureFiles
import NATComposition
import NATConfiguration
import NATControl
import NATTable

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Run captures through the gateway; write the frames it sends, its table and counters.",
    usage: "portico replay --config <file> [--inside <capture>] [--outside <capture>]\n         [<options>]",
    discussion: """
      Merges the captures of both sides by time and runs them through the same code as live traffic, with the clock of \
      the captures. The same captures, configuration and seed give the same bytes every time.

      Inputs are pcap or pcapng with Ethernet or raw IP. Outputs are pcap with nanoseconds and Ethernet. A damaged \
      capture is translated up to the damage (exit code 65). `-` is standard input or output. Without --table and \
      --stats both are printed for people.

      EXAMPLES
        portico replay --config portico.yaml --inside lan.pcap --outside wan.pcap
        portico replay --config portico.yaml --inside lan.pcap --outside-out sent.pcap
        tcpdump -i lan0 -w - | portico replay --config portico.yaml --inside -
        portico replay --config portico.yaml --inside inside.pcap \\
          --outside outside.pcap --restore before.state --table -

      EXIT CODES
        0 done, 64 usage, 65 bad data, 66 no such input, 73 cannot write output,
        78 bad configuration
      """)

  @Option(help: ArgumentHelp("The configuration (YAML).", valueName: "file"), completion: .file())
  var config: String

  @Option(
    help: ArgumentHelp("Frames that the gateway receives inside.", valueName: "capture"), completion: .file())
  var inside: String?

  @Option(
    help: ArgumentHelp("Frames that the gateway receives outside.", valueName: "capture"), completion: .file()
  )
  var outside: String?

  @Option(help: ArgumentHelp("Output: frames that it sends inside.", valueName: "file"), completion: .file())
  var insideOut: String?

  @Option(help: ArgumentHelp("Output: frames that it sends outside.", valueName: "file"), completion: .file())
  var outsideOut: String?

  @Option(help: ArgumentHelp("Output: the table after the last packet, as JSON.", valueName: "file"))
  var table: String?

  @Option(help: ArgumentHelp("Output: the counters after the last packet, as JSON.", valueName: "file"))
  var stats: String?

  @Option(
    help: ArgumentHelp(
      "The table to begin with: a snapshot of the daemon or of a recording.", valueName: "snapshot"),
    completion: .file())
  var restore: String?

  @Option(help: ArgumentHelp("Seed of port choice and of hash keys.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var host: HostOptions

  func validate() throws {
    guard inside != nil || outside != nil || restore != nil else {
      throw ValidationError("no capture is given; give --inside, --outside or both, or --restore")
    }
    guard [inside, outside].filter({ $0 == "-" }).count < 2 else {
      throw ValidationError("--inside and --outside are both standard input; only one can be")
    }
    let captures = [insideOut, outsideOut].filter { $0 == "-" }.count
    guard captures == 0 || captures == 1 && table != "-" && stats != "-" else {
      throw ValidationError("standard output can take one capture, and then neither table nor stats")
    }
    let outputs = [insideOut, outsideOut, table, stats].compactMap { $0 }
    for output in outputs {
      for input in [config, inside, outside, restore].compactMap({ $0 })
      where FileIdentity.wouldOverwrite(input: input, output: output) {
        throw ValidationError("\(output) is an input; give the output a file of its own")
      }
    }
    let files = outputs.filter { $0 != "-" }.map {
      URL(fileURLWithPath: $0).resolvingSymlinksInPath().standardizedFileURL.path
    }
    guard Set(files).count == files.count else {
      throw ValidationError("two outputs go to one file; give each a file of its own")
    }
  }

  func run() throws {
    let configuration = try host.resolve(Failure.configuration(at: config))
    var captures = try openCaptures()
    var replay = try makeReplay(configuration)
    let damages: [CaptureDamage]
    do {
      let progress = ProgressLine()
      damages = try replay.run(&captures) { progress.show(read: $0, total: $1) }
      progress.end()
      try replay.close()
    } catch {
      throw Failure.exit(Failure.cannotWrite, error.description)
    }
    try report(replay)
    if let restored = replay.restored, restored.notAllowed + restored.withoutRoom + restored.contradicting > 0
    {
      Failure.say(
        "not restored: \(restored.notAllowed) sessions that the configuration does not allow, "
          + "\(restored.withoutRoom) beyond a limit, \(restored.contradicting) that contradict others")
    }
    for damage in damages { Failure.say(damage.description) }
    if !damages.isEmpty { throw ExitCode(Failure.badData) }
  }

  private func openCaptures() throws -> CaptureMerge {
    let insideCapture: CaptureReader? = if let inside { try Failure.capture(at: inside) } else { nil }
    let outsideCapture: CaptureReader? = if let outside { try Failure.capture(at: outside) } else { nil }
    return CaptureMerge(inside: insideCapture, outside: outsideCapture)
  }

  private func makeReplay(_ configuration: Configuration) throws -> Replay {
    let snapshot = try restore.map(Failure.snapshot)
    do {
      let insideWriter: CaptureWriter? = if let insideOut { try CaptureWriter(path: insideOut) } else { nil }
      let outsideWriter: CaptureWriter? =
        if let outsideOut { try CaptureWriter(path: outsideOut) } else { nil }
      return Replay(
        configuration, seed: seed, insideOut: insideWriter, outsideOut: outsideWriter,
        restoring: snapshot)
    } catch {
      throw Failure.exit(Failure.cannotWrite, error.description)
    }
  }

  /// Writes table and counters: as JSON to the files given, otherwise as text.
  private func report(_ replay: borrowing Replay) throws {
    do {
      if let table {
        let output = try TextOutput(path: table)
        try replay.tableDocument.write { try output.write($0) }
        try output.close()
      }
      if let stats {
        let output = try TextOutput(path: stats)
        try output.write(Array(replay.statsDocument.json.utf8))
        try output.close()
      }
      guard table == nil, stats == nil else { return }
      let text =
        TableText.render(replay.tableDocument) + "\n" + StatsText.render(replay.statsDocument)
      if insideOut == "-" || outsideOut == "-" {
        // Standard output is a capture.
        StandardOutput.writeError(text)
      } else {
        let output = try TextOutput(path: "-")
        try output.write(Array(text.utf8))
        try output.close()
      }
    } catch let fault as TextOutput.Fault {
      throw Failure.exit(Failure.cannotWrite, fault.description)
    }
  }
}
