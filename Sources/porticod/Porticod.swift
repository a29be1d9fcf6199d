import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import NATConfiguration
import NATControl
import NATControlSocket
import NATDaemon
import NATKernel
import NATSystem
import ServiceLifecycle
import UnixSignals

@main struct Porticod: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "porticod",
    abstract: "A NAT gateway between two interfaces.",
    usage: "porticod --config <file> [--kernel-settings <set|restore>]",
    discussion: """
      Takes both interfaces of the configuration, keeps the kernel from answering and forwarding the packets that it handles, \
      and forwards until SIGTERM or SIGINT. It needs CAP_NET_RAW and CAP_NET_ADMIN. With CAP_SYS_NICE, or LimitRTPRIO=1 in \
      its unit, its worker has priority over other programs on its processor.

      With `address: host` it reserves its ports in net.ipv4.ip_local_reserved_ports while it runs, if it may write kernel \
      settings. If it may not, run `--kernel-settings set` before it and `--kernel-settings restore` after it as root; the \
      latter also works after kill -9.

      EXAMPLES
        porticod --config /etc/portico/portico.yaml
        porticod --config /etc/portico/portico.yaml --kernel-settings set

      SIGNALS
        SIGTERM, SIGINT  stops the daemon and removes what it set up
        SIGHUP           reads the configuration again, and applies all or nothing
        SIGUSR1          prints the NAT table and the counters on standard output

      ENVIRONMENT
        NOTIFY_SOCKET    the socket for notices to the service manager
        WATCHDOG_USEC    the interval of the service manager's watchdog
        LISTEN_FDS       sockets of the kernel rules, kept over a restart
        JOURNAL_STREAM   set if the log goes to the journal: lines get priorities

      FILES
        /etc/portico/portico.yaml        the service's configuration
        /usr/share/portico/portico.yaml  every setting, commented
        /run/portico/control.sock        the control socket, by default
        /run/portico-ports-*             ports to take back with --kernel-settings restore, for root; for another user \
      who may write kernel settings, reserved-ports beside the control socket

      EXIT CODES
        0 done, 66 no such file, 69 an interface or the control socket cannot be
        used, 77 not permitted, 78 bad configuration

      SEE ALSO
        portico --help, portico check --help, portico doctor --help
      """, version: Release.version)

  @Option(
    help: ArgumentHelp("The configuration file (YAML).", valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String

  @Flag(help: "Stay in the foreground. The daemon always does; a service manager runs it in the background.")
  var foreground = false

  @Option(
    help: ArgumentHelp(
      "Only write the kernel settings that the configuration needs, or take them back: set or restore.",
      valueName: "set|restore"))
  var kernelSettings: KernelSettings?

  enum KernelSettings: String, ExpressibleByArgument { case set, restore }

  func run() async throws {
    if let kernelSettings { return try write(kernelSettings) }
    let configuration = try loaded()
    let level = LogLevel(Logger.Level(rawValue: "\(configuration.log.level)") ?? .info)
    let environment = ProcessInfo.processInfo.environment
    let isInJournal = JournalLogHandler.isListening(environment)
    LoggingSystem.bootstrap { label in
      let handler: any LogHandler =
        isInJournal ? JournalLogHandler() : StreamLogHandler.standardError(label: label)
      return LevelledLogHandler(handler, level: level)
    }
    let logger = Logger(label: "porticod")
    // Neither a closed log nor a signal that arrives early may end the daemon.
    for number in [SIGHUP, SIGPIPE, SIGUSR1] { _ = signal(number, SIG_IGN) }
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(
            service: Daemon(
              configuration, file: config, logger: logger, logLevel: level, environment: environment),
            successTerminationBehavior: .gracefullyShutdownGroup)
        ],
        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    do {
      try await group.run()
    } catch let fault as InterfaceFault {
      logger.critical("\(fault.description)")
      throw ExitCode(fault.kind == .notPermitted ? 77 : 69)
    } catch let fault as ControlSocketFault {
      logger.critical("\(fault.description)")
      throw ExitCode(fault.kind == .notPermitted ? 77 : 69)
    }
  }

  private func write(_ settings: KernelSettings) throws {
    do {
      switch settings {
      case .set:
        let configuration = try loaded()
        guard !configuration.reservedPorts.isEmpty else { return }
        try ReservedPorts(for: configuration.control).add(configuration.reservedPorts)
      case .restore:
        // Restore even if the file has become invalid.
        let configuration = try? Configuration.load(path: config)
        if let name = configuration?.interfaces.outside.name { try refuseWhileRunning(name) }
        try ReservedPorts(for: configuration?.control ?? Configuration.Control()).restore()
      }
    } catch let fault as ReservedPorts.Fault {
      say(fault.description)
      throw ExitCode(fault.isNotPermitted ? 77 : 69)
    }
  }

  /// Refuses to take back the settings of a running gateway: a second one may have failed to start beside it.
  private func refuseWhileRunning(_ interface: String) throws {
    do throws(InterfaceFault) {
      _ = try InterfaceLock(interface: (try? InterfaceFacts(name: interface))?.name ?? interface)
    } catch {
      guard error.kind == .inUse else { return }
      say("\(error.description); nothing is taken back")
      throw ExitCode(69)
    }
  }

  /// Prints a line on standard error.
  private func say(_ text: String) {
    _ = writeAll(Array("\(text)\n".utf8), to: STDERR_FILENO)
  }

  private func loaded() throws -> Configuration {
    do {
      return try Configuration.load(path: config)
    } catch {
      // One problem a line, each with its own file, line and column.
      say(error.description)
      switch error.kind {
      case .unreadable: throw ExitCode(66)
      case .content: throw ExitCode(78)
      }
    }
  }
}
