import ArgumentParser
import Foundation
import NATControl
import NATControlSocket
import NATLab

struct BenchControlCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control",
    abstract:
      "Dump a large table over the control socket while packets flow, and see what that costs the packets.",
    usage: "portico bench control [--sessions <sessions>] [--rate <rate>] [<options>]",
    discussion: """
      Needs root. Makes network namespaces for a client, porticod and a server, a million sessions, and packets at a \
      steady rate. Each round has two halves: one without requests, one in which `portico table --json` dumps the table \
      again and again. Prints packets received a second, the longest round of the worker in each second (median, minimum, \
      maximum), the time of a dump, and whether each dump had every live session exactly once.

      EXAMPLES
        portico bench control
        portico bench control --sessions 100000 --rounds 3

      EXIT CODES
        0 done, 1 a dump was not whole, 69 no namespaces, 128 and the signal that
        interrupted it
      """)

  @Option(help: "Sessions in the table.") var sessions = 1_000_000
  @Option(help: "Packets a second.") var rate = 100_000
  @Option(help: "Number of rounds.") var rounds = 5
  @Option(help: "Seconds of each half of a round.") var seconds = 4
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard (1000...4_000_000).contains(sessions), (1000...10_000_000).contains(rate),
      (1...100).contains(rounds), (2...30).contains(seconds)
    else {
      throw ValidationError(
        "--sessions takes 1000 to 4000000, --rate 1000 to 10000000, --rounds 1 to 100, --seconds 2 to 30")
    }
  }

  func run() async throws {
    Interruption.watch()
    do {
      let bench = try await ControlBench(sessions: sessions, rate: rate, seconds: seconds)
      var quiet: [ControlBench.Half] = []
      var dumping: [ControlBench.Half] = []
      for _ in 0..<rounds {
        quiet.append(try await bench.half(dumps: false))
        dumping.append(try await bench.half(dumps: true))
      }
      bench.stop()
      report(quiet, dumping)
      guard dumping.allSatisfy(\.isWhole) else { throw Failure.exit(1, "a dump was not whole") }
    } catch let interruption as Interruption.Arrived {
      throw interruption.exit
    } catch let failure as LabFailure {
      throw Failure.exit(Failure.unavailable, failure.description)
    } catch let error as ControlError {
      throw Failure.exit(1, error.error)
    }
  }

  private func report(_ quiet: [ControlBench.Half], _ dumping: [ControlBench.Half]) {
    show("packets a second", quiet.map(\.packetsPerSecond), dumping.map(\.packetsPerSecond))
    show(
      "longest round of a second, microseconds", quiet.flatMap(\.longestRounds),
      dumping.flatMap(\.longestRounds))
    let times = dumping.flatMap(\.dumpSeconds).sorted()
    guard let median = times.isEmpty ? nil : times[times.count / 2] else { return }
    if json {
      print(
        #"{"bench":"control","measure":"dump seconds","dumps":\#(times.count),"median":\#(rounded(median)),"#
          + #""whole":\#(dumping.allSatisfy(\.isWhole))}"#)
    } else {
      print(
        "\(times.count) dumps of \(sessions) sessions, \(rounded(median)) s each, "
          + (dumping.allSatisfy(\.isWhole) ? "all whole" : "NOT ALL WHOLE"))
    }
  }

  private func show(_ measure: String, _ quiet: [Double], _ dumping: [Double]) {
    let (a, b) = (quiet.sorted(), dumping.sorted())
    let (first, second) = (a[a.count / 2], b[b.count / 2])
    let ratio = rounded(second / max(first, .leastNonzeroMagnitude))
    if json {
      print(
        #"{"bench":"control","measure":"\#(measure)","quiet":\#(rounded(first)),"dumping":\#(rounded(second)),"#
          + #""ratio":\#(ratio)}"#)
    } else {
      print(
        "\(measure): \(rounded(first)) (\(rounded(a[0])) to \(rounded(a[a.count - 1]))) alone, \(rounded(second)) "
          + "(\(rounded(b[0])) to \(rounded(b[b.count - 1]))) with dumps: \(ratio) of it")
    }
  }

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
