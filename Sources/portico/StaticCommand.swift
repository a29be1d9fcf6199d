import ArgumentParser
import NATControl
import NATControlSocket

struct StaticCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "static",
    abstract: "List, add and remove static mappings at run time.",
    discussion: """
      A mapping that is added here lasts until the daemon restarts. A mapping of the file that is removed here comes back with \
      a reload. To keep a change, make it in the configuration (`static`) too.

      EXAMPLES
        portico static list
        portico static add tcp 203.0.113.5:8080 192.168.1.10:80
        portico static remove tcp 203.0.113.5:8080
      """,
    subcommands: [List.self, Add.self, Remove.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the static mappings in force.",
      discussion: """
        Lists the mappings of the configuration and those that were added since.

        EXAMPLES
          portico static list
          portico static list --json

        \(HelpText.daemonExitCodes)
        """)

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      try await answer.print(ControlAPI.statics) { ChangeText.render($0) }
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a static mapping.",
      usage: "portico static add <protocol> <public> <private> [<options>]",
      discussion: """
        Adds a port forward, or with `all` a 1:1 mapping of a public address to one inside host. It works at once. Dynamic \
        bindings on its public endpoint end, and the answer gives their number. A mapping that contradicts another is \
        refused. Durations are written like 90s, 10m or 2h4m.

        EXAMPLES
          portico static add tcp 203.0.113.5:8080 192.168.1.10:80
          portico static add all 203.0.113.6 192.168.1.20
          portico static add tcp 203.0.113.5:2222 192.168.1.10:22 \\
            --remote 198.51.100.7 --lifetime 10m

        \(HelpText.daemonExitCodes)
        """)

    @Argument(help: ArgumentHelp("tcp, udp, icmp or all.", valueName: "protocol"))
    var transport: String

    @Argument(help: ArgumentHelp("The public endpoint; for all, only the address.", valueName: "public"))
    var publicEndpoint: String

    @Argument(help: ArgumentHelp("The private endpoint; for all, only the address.", valueName: "private"))
    var privateEndpoint: String

    @Flag(help: "Only for sessions from outside: sessions that the inside host begins use another binding.")
    var inbound = false

    @Option(
      help: ArgumentHelp(
        "Only take packets of these remotes: an address, an address and a port, or a network.",
        valueName: "remote"))
    var remote: String?

    @Flag(help: "End with the first session.")
    var once = false

    @Option(help: ArgumentHelp("End after this time, such as 10m or 24h.", valueName: "duration"))
    var lifetime: String?

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      var entry = StaticDocument(
        protocolName: transport, publicEndpoint: publicEndpoint, privateEndpoint: privateEndpoint)
      entry.direction = inbound ? "inbound" : nil
      entry.remote = remote
      entry.once = once ? true : nil
      entry.lifetime = lifetime
      try await answer.print(ControlAPI.addStatic, entry) { ChangeText.render($0, "added") }
    }
  }

  struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove a static mapping.",
      discussion: """
        Its sessions end with it.

        EXAMPLES
          portico static remove tcp 203.0.113.5:8080
          portico static remove all 203.0.113.6

        \(HelpText.daemonExitCodes)
        """)

    @Argument(help: ArgumentHelp("tcp, udp, icmp or all.", valueName: "protocol"))
    var transport: String

    @Argument(help: ArgumentHelp("The public endpoint; for all, only the address.", valueName: "public"))
    var publicEndpoint: String

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      let name = StaticName(transport: transport, endpoint: publicEndpoint)
      try await answer.print(ControlAPI.removeStatic, name) { ChangeText.render($0, "removed") }
    }
  }
}
