import ArgumentParser
import Foundation
import NATControl
import NATLab

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Run porticod between a client and a server in network namespaces.",
    discussion: """
      As root: makes three network namespaces (client, gateway, server) with porticod in the middle. The client sends a DNS \
      query, runs ping and traceroute, and downloads by HTTPS. Then prints the live NAT table and the counters. For a \
      missing program it prints the command that installs it. Changes nothing outside the namespaces, and removes them.

      Without root, or if the kernel allows no namespaces, replays a capture of a browser from the sources instead.

      EXAMPLES
        portico demo

      EXIT CODES
        0 done, 1 a step failed, 69 neither demo nor replay is possible,
        128 + signal number if interrupted
      """)

  func run() throws {
    Interruption.watch()
    do {
      let failures = try Demonstration().run()
      guard failures == 0 else {
        throw Failure.exit(1, "\(HumanText.amount(failures, "step")) of the demo failed, see above")
      }
    } catch let interruption as Interruption.Arrived {
      throw interruption.exit
    } catch let failure as LabFailure {
      // A step that a signal interrupted has not failed.
      do { try Interruption.check() } catch { throw error.exit }
      Failure.say("no live demo: \(failure.description)")
      try replay()
    }
  }

  /// The replay of the capture that comes with the sources.
  private func replay() throws {
    guard let folder = DemoCommand.scenario() else {
      throw Failure.exit(
        Failure.unavailable,
        "no capture to replay: Tests/ReplayTests/Scenarios/browser is neither here nor in a folder above the program"
      )
    }
    Failure.say("replaying the capture of a browser instead (as root the demo runs live)")
    let command = try ReplayCommand.parse([
      "--config", "\(folder)/portico.yaml", "--inside", "\(folder)/inside.pcap", "--outside",
      "\(folder)/outside.pcap",
    ])
    try command.run()
  }

  /// The folder of the capture: in the working directory or one above it, or above the program.
  private static func scenario() -> String? {
    let program = (try? Programs.own()) ?? "/"
    for start in [FileManager.default.currentDirectoryPath, program] {
      var folder = URL(fileURLWithPath: start).standardizedFileURL
      while true {
        let place = folder.appending(path: "Tests/ReplayTests/Scenarios/browser").path
        if FileManager.default.isReadableFile(atPath: place + "/portico.yaml") { return place }
        guard folder.path != "/" else { break }
        folder.deleteLastPathComponent()
      }
    }
    return nil
  }
}
