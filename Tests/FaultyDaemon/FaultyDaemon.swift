import ArgumentParser
import Foundation
import Logging
import NATConfiguration
import NATDaemon
import ServiceLifecycle
import Synchronization
import UnixSignals

/// The daemon as `porticod` runs it, but its captures lose, delay, double and cut frames, and its system calls fail
/// now and then. This program has functions of the names `pcap_dispatch`, `sendmmsg` and `poll`, which the linker takes
/// before those of the libraries: the daemon's own code is the same, down to the last instruction.
///
/// At its end it prints one line of JSON on standard output: the ``FaultTally``.
@main struct FaultyDaemon: AsyncParsableCommand {
  @Option var config: String
  /// Of the random numbers: the same seed and the same frames, the same faults.
  @Option var seed: UInt64
  @OptionGroup var rates: FaultRates

  func run() async throws {
    let configuration = try Configuration.load(path: config)
    CaptureFaults.shared.withLock { $0 = CaptureFaults(rates, seed: seed) }
    CallFaults.shared.withLock { $0 = CallFaults(rates, seed: seed &+ 1) }
    let logger = Logger(label: "faulty") { StreamLogHandler.standardError(label: $0) }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(
            service: Daemon(configuration, file: config, logger: logger),
            successTerminationBehavior: .gracefullyShutdownGroup)
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
    var tally = FaultTally()
    CaptureFaults.shared.withLock { if let faults = $0 { tally.capture = faults.tally } }
    CallFaults.shared.withLock { if let faults = $0 { tally.calls = faults.tally } }
    print(String(decoding: try JSONEncoder().encode(tally), as: UTF8.self))
  }
}

/// How often what goes wrong: parts of 1.
struct FaultRates: ParsableArguments {
  /// Frames that are lost on their way in.
  @Option var loss = 0.01
  /// Frames that come in behind one to three later ones.
  @Option var reorder = 0.01
  /// Frames that come in twice.
  @Option var duplicate = 0.005
  /// IPv4 frames whose end is missing.
  @Option var truncate = 0.001
  /// Calls of sendmmsg(2) with which a time of ENOBUFS begins: one to forty calls.
  @Option var full = 0.01
  /// Calls of sendmmsg(2) and waits of poll(2) that a signal interrupts.
  @Option var interrupt = 0.02
  /// Calls of sendmmsg(2) with several messages that take only some of them.
  @Option var short = 0.2
}

/// What was done to the daemon, and what its ports saw. Frames that begin with the type of IPv4 apart from the rest,
/// which is ARP.
struct FaultTally: Codable {
  struct Frames: Codable {
    var ipv4 = 0
    var other = 0
  }

  struct Capture: Codable {
    /// Frames that the daemon got.
    var delivered = Frames()
    var lost = 0
    var reordered = 0
    var duplicated = 0
    var truncated = 0
  }

  struct Calls: Codable {
    /// Frames that the kernel took.
    var sent = Frames()
    var full = 0
    var interrupted = 0
    var short = 0
  }

  var capture = Capture()
  var calls = Calls()
}
