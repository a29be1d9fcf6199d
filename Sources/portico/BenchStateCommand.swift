import ArgumentParser
import NATEngine
import NATGateway
import NATTable
import NATWire

struct BenchStateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state",
    abstract: "Time saving and restoring a table: what a snapshot costs, and a start with one.",
    discussion: """
      Makes UDP flows with a binding and a session each, and saves the table twice: in the small steps in which the daemon \
      writes its state file, and in one go, as its recorder does. Writes no file.

      EXAMPLES
        portico bench state
        portico bench state --flows 100000

      EXIT CODES
        0 done, 64 usage
      """)

  @Option(help: "Number of flows (1 to 4000000); may be repeated.") var flows: [Int] = [
    1000, 100_000, 1_000_000,
  ]

  func validate() throws {
    guard flows.allSatisfy({ (1...4_000_000).contains($0) }) else {
      throw ValidationError("--flows takes 1 to 4000000")
    }
  }

  func run() throws {
    for count in flows {
      var bench = EngineBench(flows: count)
      var longest: UInt64 = 0
      var steps = 0
      var job = SaveTable()
      repeat {
        job = SaveTable(job.walk)
        longest = max(longest, time { bench.work(on: &job) })
        steps += 1
      } while !job.walk.isAtEnd
      var whole = SaveTable(limit: .max)
      let saving = time { bench.work(on: &whole) }
      var words: [UInt64] = []
      SnapshotHeader(clock: whole.clock, unixNanoseconds: 0, started: whole.clock).append(to: &words)
      words += whole.words
      TableSnapshot.appendCounts(whole.walk.counts, to: &words)
      var checksum = Checksum64()
      let summing = time { checksum.add(words[...]) }
      words.append(checksum.value)
      let snapshot = try TableSnapshot(words)
      let store = CounterStore()
      var gateway = bench.makeGateway(store)
      var restored = RestoredTable()
      let restoring = time { restored = gateway.restore(snapshot, offset: 0, at: whole.clock) }
      precondition(restored.sessions == count, "every flow is restored")
      print(
        """
        state, \(count) flows: \(words.count * 8) bytes; saved in one go in \(text(saving)) ms, in \(steps) steps of \
        at most \(text(longest)) ms; checksum \(text(summing)) ms; restored in \(text(restoring)) ms
        """)
    }
  }

  private func time(_ body: () -> Void) -> UInt64 {
    let start = monotonicNanoseconds()
    body()
    return monotonicNanoseconds() - start
  }

  private func text(_ nanoseconds: UInt64) -> String {
    String((Double(nanoseconds) / 10_000).rounded() / 100)
  }
}
