import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the gateway on this machine.",
    discussion: """
      Figures of a machine that has other things to do say little: each bench repeats its rounds and prints the median \
      with the least and the most.

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
