import ArgumentParser
import NATControl

/// The `portico` command: one file for each subcommand.
@main struct Portico: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "portico",
    abstract:
      "A userspace NAT gateway: see and steer the live table, replay captures, check a configuration, measure.",
    discussion: """
      Exit codes: 0 done, 1 refused by the daemon, 64 usage, 65 bad data, 66 no such input, 69 not possible here or \
      no daemon there, 73 cannot write output, 77 not permitted, 78 bad configuration.
      """,
    version: Release.version,
    groupedSubcommands: [
      CommandGroup(
        name: "Daemon",
        subcommands: [
          StatusCommand.self, TableCommand.self, StatsCommand.self, HostsCommand.self, TopCommand.self,
          EventsCommand.self,
          ExplainCommand.self, EndCommand.self, StaticCommand.self, ReloadCommand.self,
          SnapshotCommand.self, RecordCommand.self,
        ]),
      CommandGroup(name: "Service", subcommands: [InstallCommand.self, UninstallCommand.self]),
      CommandGroup(
        name: "Other",
        subcommands: [
          DemoCommand.self, DoctorCommand.self, CheckCommand.self, ReplayCommand.self, BenchCommand.self,
        ]),
    ])
}
