import ArgumentParser
import Foundation
import NATControl
import NATLab

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "See porticod at work between a client and a server that the command makes itself.",
    discussion: """
      As root: three network namespaces (client, gateway, server), porticod in the middle, and the programs of this \
      machine at both ends: a DNS query, ping, traceroute, an HTTPS download. Then the live NAT table and the \
      counters. What is lacking is named with the command that installs it. Nothing outside the namespaces is \
      touched, and nothing stays behind.

      Without root, or where the kernel gives no namespaces, the capture of a browser's visit that comes with the \
      sources is replayed instead.

      EXAMPLES
        portico demo

      EXIT CODES
        0 done, 1 a step failed, 69 neither is possible, 128 and the signal that
        interrupted it
      """)

  func run() throws {
    Interruption.watch()
    do {
      let failures = try Demonstration().run()
      guard failures == 0 else {
        throw Failure.exit(1, "\(HumanText.amount(failures, "step")) of the demo failed, see above")
      }
    } catch let interruption as Interruption.Arrived {
      Failure.say("interrupted; everything is cleaned up")
      throw ExitCode(128 + interruption.number)
    } catch let failure as LabFailure {
      // What a signal cut short is no failure.
      do { try Interruption.check() } catch {
        Failure.say("interrupted; everything is cleaned up")
        throw ExitCode(128 + error.number)
      }
      Failure.say("no live demo: \(failure.description)")
      try replay()
    }
  }

  /// The replay of the capture that comes with the sources.
  private func replay() throws {
    guard let folder = DemoCommand.scenario() else {
      throw Failure.exit(
        Failure.unavailable,
        "no capture to replay either: Tests/ReplayTests/Scenarios/browser is neither here nor above the program"
      )
    }
    Failure.say("instead, the capture of a browser's visit is replayed (as root the demo runs live)")
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
