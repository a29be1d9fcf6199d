import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the gateway on this machine.",
    discussion: """
      Each bench repeats its rounds and prints the median with minimum and maximum. Measure on a machine without other \
      work.

      EXAMPLES
        portico bench engine
        portico bench replay --rounds 3
        portico bench live
      """,
    subcommands: [
      BenchEngineCommand.self, BenchReplayCommand.self, BenchLiveCommand.self, BenchControlCommand.self,
      BenchStateCommand.self,
    ])
}
