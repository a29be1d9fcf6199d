import ArgumentParser
import Foundation
import NATLab

struct BenchLiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "live",
    abstract: "Time porticod against the kernel's masquerade and slirp4netns on the same cables.",
    usage: "portico bench live [--rounds <rounds>] [--seconds <seconds>] [<options>]",
    discussion: """
      Needs root. Makes network namespaces for a client, a gateway and a server, joined by veth with offloads on. In each \
      round the gateway is, in turn, porticod, nftables masquerade, and slirp4netns (a userspace NAT for virtual machines \
      and containers). Measures one TCP stream up and down (iperf3), UDP packets of 60 bytes a second over many flows \
      (counted by the server's interface and dropped there), and the median round trip of ping. Prints medians with \
      minimum and maximum, and ratios.

      Programs that are not installed are left out: `apt-get install -y iperf3 nftables iputils-ping slirp4netns`. Changes \
      nothing outside the namespaces, and removes them.

      EXAMPLES
        portico bench live
        portico bench live --rounds 3 --seconds 1

      EXIT CODES
        0 done, 69 no namespaces, or nothing to measure with, 128 and the signal that
        interrupted it
      """)

  @Option(help: "Number of rounds.") var rounds = 5
  @Option(help: "Seconds for each TCP and UDP measurement.") var seconds = 2
  @Option(help: "Number of UDP flows.") var flows = 64
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    guard (1...100).contains(rounds), (1...60).contains(seconds), (1...10_000).contains(flows) else {
      throw ValidationError("--rounds takes 1 to 100, --seconds 1 to 60, --flows 1 to 10000")
    }
  }

  func run() throws {
    Interruption.watch()
    do {
      let bench = try LiveBench(seconds: seconds, flows: flows)
      for _ in 0..<rounds { try bench.round() }
      report(bench.results)
    } catch let interruption as Interruption.Arrived {
      throw interruption.exit
    } catch let failure as LabFailure {
      throw Failure.exit(Failure.unavailable, failure.description)
    }
  }

  private func report(_ results: [LiveBench.Result]) {
    for measure in LiveBench.Measure.allCases {
      let all = results.filter { $0.measure == measure }
      guard let own = all.first(where: { $0.contender == .portico }) else { continue }
      for result in all {
        // Alternate the contenders in each round, so that a slow moment of the machine hits all of them.
        let ratio = median(zip(own.values, result.values).map { $0 / max($1, .leastNonzeroMagnitude) })
        if json {
          print(
            #"{"bench":"live","measure":"\#(measure.rawValue)","unit":"\#(measure.unit)","#
              + #""contender":"\#(result.contender.rawValue)","rounds":\#(result.values.count),"#
              + #""minimum":\#(rounded(result.values.min() ?? 0)),"median":\#(rounded(median(result.values))),"#
              + #""maximum":\#(rounded(result.values.max() ?? 0)),"porticoRatio":\#(rounded(ratio))}"#)
        } else {
          let ratioText = result.contender == .portico ? "" : "; portico has \(rounded(ratio)) of it"
          print(
            "\(measure.rawValue), \(result.contender.rawValue): \(rounded(median(result.values))) \(measure.unit) "
              + "(\(rounded(result.values.min() ?? 0)) to \(rounded(result.values.max() ?? 0)))\(ratioText)")
        }
      }
    }
  }

  private func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }

  private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
