import ArgumentParser
import NATControl

/// The `portico` command: one file for each subcommand.
@main struct Portico: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "portico",
    abstract:
      "A userspace NAT gateway: see and steer the live table, replay captures, check a configuration, measure.",
    discussion: """
      The gateway itself is porticod, which the service `portico` runs. The commands under DAEMON ask it and steer it \
      by its control socket: root may, and the users of the group `portico`. Those that ask take --json, for programs. \
      `portico help COMMAND` says of each what it does, with examples.

      EXAMPLES
        portico status
        portico table --private 192.168.1.2
        portico check /etc/portico/portico.yaml

      FILES
        /etc/portico/portico.yaml        the service's configuration
        /usr/share/portico/portico.yaml  every setting, commented
        /run/portico/control.sock        the control socket, by default

      EXIT CODES
        0   done
        1   refused by the daemon, or something is wrong
        64  usage
        65  bad data
        66  no such input
        69  not possible here, or no daemon there
        73  cannot write output
        77  not permitted
        78  bad configuration

      SEE ALSO
        porticod --help
      """,
    version: Release.version,
    groupedSubcommands: [
      CommandGroup(
        name: "Daemon",
        subcommands: [
          StatusCommand.self, HealthCommand.self, TableCommand.self, StatsCommand.self, HostsCommand.self,
          TopCommand.self, EventsCommand.self, ExplainCommand.self, EndCommand.self, StaticCommand.self,
          ReloadCommand.self, SnapshotCommand.self, RecordCommand.self,
        ]),
      CommandGroup(name: "Service", subcommands: [InstallCommand.self, UninstallCommand.self]),
      CommandGroup(
        name: "Other",
        subcommands: [
          DemoCommand.self, DoctorCommand.self, CheckCommand.self, ReplayCommand.self, BenchCommand.self,
        ]),
    ])
}
