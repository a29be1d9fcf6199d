import ArgumentParser
import NATControl
import NATControlSocket

struct StaticCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "static",
    abstract: "List, add and remove static mappings at run time.",
    discussion: """
      What is added here lasts until the daemon restarts, and what the file has comes back with a reload; to keep a \
      change, make it in the configuration (`static`) too.

      EXAMPLES
        portico static list
        portico static add tcp 203.0.113.5:8080 192.168.1.10:80
        portico static remove tcp 203.0.113.5:8080
      """,
    subcommands: [List.self, Add.self, Remove.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "The static mappings in force.",
      discussion: """
        Those of the configuration and those that were added since.

        EXAMPLES
          portico static list
          portico static list --json

        \(HelpText.daemonExitCodes)
        """)

    @Flag(help: "As JSON, for programs.")
    var json = false

    @OptionGroup var daemon: SocketOption

    func run() async throws {
      if json {
        try await Failure.streaming(daemon.client, "/v1/static") { try StandardOutput.write($0) }
      } else {
        let statics = try await Failure.onRefusal { () async throws(ControlError) in
          try await daemon.client.statics()
        }
        try StandardOutput.write(ChangeText.render(statics))
      }
    }
  }

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add a static mapping.",
      usage: "portico static add <protocol> <public> <private> [<options>]",
      discussion: """
        A port forward, or with `all` a whole public address for one inside host (1:1). It works at once; \
        dynamic bindings that are in its way end, and the answer says how many. What contradicts another mapping is \
        refused, and nothing changes. Durations are such as 90s, 10m or 2h4m.

        EXAMPLES
          portico static add tcp 203.0.113.5:8080 192.168.1.10:80
          portico static add all 203.0.113.6 192.168.1.20
          portico static add tcp 203.0.113.5:2222 192.168.1.10:22 \\
            --remote 198.51.100.7 --lifetime 10m

        \(HelpText.daemonExitCodes)
        """)

    @Argument(help: ArgumentHelp("tcp, udp, icmp or all.", valueName: "protocol"))
    var transport: String

    @Argument(help: ArgumentHelp("The public endpoint; of all, the address alone.", valueName: "public"))
    var publicEndpoint: String

    @Argument(help: ArgumentHelp("The private endpoint; of all, the address alone.", valueName: "private"))
    var privateEndpoint: String

    @Flag(help: "Of what begins outside alone: what the inside host begins has another binding.")
    var inbound = false

    @Option(
      help: ArgumentHelp(
        "Take packets of these remotes alone: an address, an address and a port, or a network.",
        valueName: "remote"))
    var remote: String?

    @Flag(help: "End with the first session.")
    var once = false

    @Option(help: ArgumentHelp("End after this time, such as 10m or 24h.", valueName: "duration"))
    var lifetime: String?

    @Flag(help: "The answer as JSON, for programs.")
    var json = false

    @OptionGroup var daemon: SocketOption

    func run() async throws {
      let entry = StaticDocument(
        protocolName: transport, publicEndpoint: publicEndpoint, privateEndpoint: privateEndpoint,
        direction: inbound ? "inbound" : nil, remote: remote, once: once ? true : nil, lifetime: lifetime)
      let change = try await Failure.onRefusal { () async throws(ControlError) in
        try await daemon.client.addStatic(entry)
      }
      try StandardOutput.write(json ? try ControlJSON.text(change) : ChangeText.render(change, "added"))
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

    @Argument(help: ArgumentHelp("The public endpoint; of all, the address alone.", valueName: "public"))
    var publicEndpoint: String

    @Flag(help: "The answer as JSON, for programs.")
    var json = false

    @OptionGroup var daemon: SocketOption

    func run() async throws {
      let change = try await Failure.onRefusal { () async throws(ControlError) in
        try await daemon.client.removeStatic(protocol: transport, public: publicEndpoint)
      }
      try StandardOutput.write(json ? try ControlJSON.text(change) : ChangeText.render(change, "removed"))
    }
  }
}
