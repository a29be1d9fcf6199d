import ArgumentParser

/// The `portico` command: one file for each subcommand.
@main struct Portico: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "portico",
    abstract:
      "A userspace NAT gateway: see it at work, replay captures through it, check its configuration, measure it.",
    discussion: """
      Exit codes: 0 done, 64 usage, 65 bad data, 66 no such input, 69 not possible here, 73 cannot write output, \
      78 bad configuration.
      """,
    subcommands: [
      DemoCommand.self, DoctorCommand.self, CheckCommand.self, ReplayCommand.self, BenchCommand.self,
    ])
}
