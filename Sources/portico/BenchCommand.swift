import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure the gateway on this machine.",
    subcommands: [
      BenchEngineCommand.self, BenchReplayCommand.self, BenchLiveCommand.self, BenchControlCommand.self,
      BenchStateCommand.self,
    ])
}
