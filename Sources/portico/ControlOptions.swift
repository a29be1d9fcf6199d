import ArgumentParser
import NATControl
import NATControlSocket

/// Where the daemon is, for every command that asks it something.
struct SocketOption: ParsableArguments {
  @Option(
    help: ArgumentHelp("The control socket of the daemon.", valueName: "path"), completion: .file())
  var socket = "/run/portico/control.sock"

  var client: ControlClient { ControlClient(socketPath: socket) }
}

/// The options of a command that asks the daemon one thing and prints the answer.
struct AnswerOptions: ParsableArguments {
  @Flag(help: "The answer as JSON, for programs.")
  var json = false

  @OptionGroup var daemon: SocketOption

  /// Prints the answer: the daemon's JSON as it came, or `text` of the document.
  func print<Input, Document>(
    _ call: ControlCall<Input, Document>, _ input: Input, from client: ControlClient? = nil,
    _ text: (Document) -> String
  ) async throws {
    let client = client ?? daemon.client
    let answer = try await Failure.onRefusal { () async throws(ControlError) in
      json ? try await client.json(call, input) : Array(text(try await client.ask(call, input)).utf8)
    }
    try StandardOutput.write(answer)
  }

  func print<Document>(_ call: ControlCall<Void, Document>, _ text: (Document) -> String) async throws {
    try await print(call, (), text)
  }
}

/// The filters of `table` and `end`.
struct FilterOptions: ParsableArguments {
  @Option(
    name: .customLong("protocol"), help: ArgumentHelp("tcp, udp or icmp.", valueName: "protocol"),
    completion: .list(TransportName.allCases.map(\.rawValue)))
  var transport: String?

  @Option(
    name: .customLong("private"),
    help: ArgumentHelp(
      "The private end: 192.168.1.2, 192.168.1.0/24 or 192.168.1.2:1234.", valueName: "endpoint"))
  var privateEndpoint: String?

  @Option(
    name: .customLong("public"), help: ArgumentHelp("The public end, likewise.", valueName: "endpoint"))
  var publicEndpoint: String?

  @Option(help: ArgumentHelp("The remote end, likewise.", valueName: "endpoint"))
  var remote: String?

  @Option(
    help: ArgumentHelp("syn-sent, established, half-closed, closed, reset or active.", valueName: "state"),
    completion: .list(SessionDocument.State.allCases.map(\.rawValue)))
  var state: String?

  @Option(
    help: ArgumentHelp("dynamic or static.", valueName: "kind"),
    completion: .list(BindingDocument.Kind.allCases.map(\.rawValue)))
  var kind: String?

  func validate() throws { _ = try filter }

  var filter: TableFilter {
    get throws {
      let given = [
        "protocol": transport, "private": privateEndpoint, "public": publicEndpoint, "remote": remote,
        "state": state, "kind": kind,
      ]
      do throws(ControlError) {
        return try TableFilter(given.compactMapValues { $0 })
      } catch {
        throw ValidationError("--\(error.error)")
      }
    }
  }
}
