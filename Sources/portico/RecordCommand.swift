import ArgumentParser
import Foundation
import NATControl
import NATControlSocket

struct RecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "The flight recorder: the last packets of both sides, kept in the daemon's memory.",
    discussion: """
      What a dump holds can be put through the gateway again, packet by packet, with the same result: its last line says \
      how. `record` in the configuration says how far back it goes, and how much memory it takes.

      EXAMPLES
        portico record on
        portico record status
        portico record dump /var/lib/portico/incident
        portico record off
      """,
    subcommands: [On.self, Off.self, Status.self, Dump.self], defaultSubcommand: Status.self)

  struct Answer: ParsableArguments {
    @Flag(help: "The answer as JSON, for programs.")
    var json = false

    @OptionGroup var daemon: SocketOption

    /// Tells the daemon, or asks it, and prints the answer.
    func print(_ request: RecordRequest?) async throws {
      let record = try await Failure.onRefusal { () async throws(ControlError) in
        if let request { return try await daemon.client.record(request) }
        return try await daemon.client.recording()
      }
      try StandardOutput.write(json ? try ControlJSON.text(record) : RecordText.render(record))
    }
  }

  struct On: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Record from now on; what was recorded before is forgotten.",
      discussion: """
        The packets of the last `record.window` are held, and no more than `record.memory` takes.

        EXAMPLES
          portico record on
          portico record on --content headers

        \(HelpText.daemonExitCodes)
        """)

    @Option(
      help: "packets (all of them: what can be replayed) or headers (to be read); else as configured.",
      completion: .list(RecordDocument.Content.allCases.map(\.rawValue)),
      transform: { text in
        guard let content = RecordDocument.Content(rawValue: text) else {
          throw ValidationError("found \(text); expected packets or headers")
        }
        return content
      })
    var content: RecordDocument.Content?

    @OptionGroup var answer: Answer

    func run() async throws { try await answer.print(RecordRequest(.on, content: content)) }
  }

  struct Off: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Record no more, and forget.",
      discussion: """
        Whoever wants what is held dumps it before.

        EXAMPLES
          portico record off

        \(HelpText.daemonExitCodes)
        """)

    @OptionGroup var answer: Answer

    func run() async throws { try await answer.print(RecordRequest(.off)) }
  }

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say what is held.",
      discussion: """
        Whether it records, how many packets and bytes it holds, and from when on.

        EXAMPLES
          portico record status
          portico record status --json

        \(HelpText.daemonExitCodes)
        """)

    @OptionGroup var answer: Answer

    func run() async throws { try await answer.print(nil) }
  }

  struct Dump: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write what is held into a new directory, and begin anew.",
      discussion: """
        The daemon makes the directory, so it must lie where the daemon may write: two captures of what came in \
        (inside.pcap, outside.pcap), the configuration in force (portico.yaml), the table as it stood before the first \
        packet and behind the last one (before.state, after.state), and what to do with them (README).

        EXAMPLES
          portico record dump /var/lib/portico/incident

        \(HelpText.daemonExitCodes)
        """)

    @Argument(help: "The directory to make.", completion: .directory)
    var directory: String

    @OptionGroup var answer: Answer

    func run() async throws {
      try await answer.print(RecordRequest(.dump, directory: URL(fileURLWithPath: directory).path))
    }
  }
}
