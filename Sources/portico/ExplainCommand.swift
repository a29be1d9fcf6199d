import ArgumentParser
import NATComposition
import NATConfiguration
import NATControl
import NATControlSocket

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show step by step what the gateway would do with a packet now. Nothing changes.",
    usage: "portico explain --from <side> [<options>]\n         <protocol> <source> <destination>",
    discussion: """
      The daemon runs the packet through the steps of the packet path and reports each of them: a drop with its reason, or \
      the translated packet and where it leaves. `icmp` is an echo request: the port of the source is its identifier, and \
      the destination has no port.

      EXAMPLES
        portico explain --from inside tcp 192.168.1.2:1234 142.250.195.100:443
        portico explain --from outside udp 198.51.100.7:4500 203.0.113.5:5000
        portico explain --from inside icmp 192.168.1.2:7 203.0.113.9 --ttl 1
        portico explain --config /etc/portico/portico.yaml --from inside \\
          udp 192.168.1.2:5000 198.51.100.53:53

      \(HelpText.daemonExitCodes)
        66  no such file; 78 bad configuration (with --config)
      """)

  @Option(
    help: ArgumentHelp("The side that the packet comes from: inside or outside.", valueName: "side"),
    completion: .list(["inside", "outside"]))
  var from: String

  @Argument(help: ArgumentHelp("tcp, udp or icmp.", valueName: "protocol"))
  var transport: String

  @Argument(help: ArgumentHelp("Source address and port.", valueName: "source"))
  var source: String

  @Argument(help: ArgumentHelp("Destination address and port.", valueName: "destination"))
  var destination: String

  @Option(
    help: ArgumentHelp("TCP flags, separated by commas: fin, syn, rst, psh, ack, urg.", valueName: "flags"))
  var flags: String?

  @Option(help: ArgumentHelp("The packet's TTL.", valueName: "hops"))
  var ttl: UInt8?

  @Option(help: ArgumentHelp("The length of the IPv4 packet in bytes.", valueName: "bytes"))
  var length: UInt16?

  @Flag(help: "As JSON, for programs.")
  var json = false

  @Option(
    help: ArgumentHelp(
      "Ask a new gateway with this configuration instead of the daemon.",
      valueName: "file"),
    completion: .file(extensions: ["yaml", "yml"]))
  var config: String?

  @OptionGroup var host: HostOptions

  @OptionGroup var daemon: SocketOption

  func validate() throws { _ = try question }

  func run() async throws {
    let question = try question
    let explanation =
      if let config {
        try explain(question, host.resolve(Failure.configuration(at: config)))
      } else {
        try await Failure.onRefusal { () async throws(ControlError) in
          try await daemon.client.explain(question)
        }
      }
    try StandardOutput.write(
      json ? try ControlJSON.text(explanation) : ExplainText.render(explanation, .standardOutput))
  }

  private func explain(_ question: ExplainRequest, _ configuration: Configuration) throws -> ExplainDocument {
    do {
      return try ExplainDocument.explain(question, configuration)
    } catch {
      throw Failure.exit(Failure.usage, error.text)
    }
  }

  private var question: ExplainRequest {
    get throws {
      guard from == "inside" || from == "outside" else {
        throw ValidationError("--from is '\(from)'; expected inside or outside")
      }
      guard let transport = TransportName(rawValue: transport) else {
        throw ValidationError("the protocol is '\(transport)'; expected tcp, udp or icmp")
      }
      var question = ExplainRequest(
        from: from, transport: transport, source: try endpoint("source", source, transport),
        destination: try endpoint("destination", destination, transport))
      question.flags = flags?.split(separator: ",").map(String.init)
      question.ttl = ttl
      question.length = length
      return question
    }
  }

  private func endpoint(
    _ name: String, _ text: String, _ transport: TransportName
  ) throws -> EndpointDocument {
    guard let pattern = EndpointPattern(text), pattern.prefixLength == 32,
      let port = pattern.port ?? (transport == .icmp ? 0 : nil)
    else {
      throw ValidationError(
        "the \(name) is '\(text)'; expected an address and a port, like 192.168.1.2:1234")
    }
    return EndpointDocument(address: pattern.address, port: port)
  }
}
