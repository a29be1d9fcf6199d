import ArgumentParser
import Foundation
import NATControl
import NATControlSocket

struct RecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record",
    abstract: "Use the flight recorder, which keeps the latest packets of both sides in memory.",
    discussion: """
      A dump can be replayed packet by packet with the same result; its README gives the command. `record` in the \
      configuration sets how far back the recording goes, and how much memory it takes.

      EXAMPLES
        portico record on
        portico record status
        portico record dump /var/lib/portico/incident
        portico record off
      """,
    subcommands: [On.self, Off.self, Status.self, Dump.self], defaultSubcommand: Status.self)

  struct On: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Record from now on, and discard what was recorded before.",
      discussion: """
        The recorder holds the packets of the last `record.window`, within `record.memory`.

        EXAMPLES
          portico record on
          portico record on --content headers

        \(HelpText.daemonExitCodes)
        """)

    @Option(
      help: "packets (whole, for a replay) or headers (to read); by default as configured.",
      completion: .list(RecordDocument.Content.allCases.map(\.rawValue)),
      transform: { text in
        guard let content = RecordDocument.Content(rawValue: text) else {
          throw ValidationError("found \(text); expected packets or headers")
        }
        return content
      })
    var content: RecordDocument.Content?

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      try await answer.print(ControlAPI.record, RecordRequest(.on, content: content), RecordText.render)
    }
  }

  struct Off: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Switch the recorder off, and discard what was recorded.",
      discussion: """
        To keep what was recorded, dump it before.

        EXAMPLES
          portico record off

        \(HelpText.daemonExitCodes)
        """)

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      try await answer.print(ControlAPI.record, RecordRequest(.off), RecordText.render)
    }
  }

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show what the recorder holds.",
      discussion: """
        Shows whether it records, how many packets and bytes it holds, and how far back they go.

        EXAMPLES
          portico record status
          portico record status --json

        \(HelpText.daemonExitCodes)
        """)

    @OptionGroup var answer: AnswerOptions

    func run() async throws { try await answer.print(ControlAPI.recording, RecordText.render) }
  }

  struct Dump: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write the recording into a new directory, and begin a new one.",
      discussion: """
        The daemon makes the directory, so it must be where the daemon may write. It holds two captures of the packets that \
        arrived (inside.pcap, outside.pcap), the configuration in force (portico.yaml), the table before the first packet \
        and after the last one (before.state, after.state), and instructions (README).

        EXAMPLES
          portico record dump /var/lib/portico/incident

        \(HelpText.daemonExitCodes)
        """)

    @Argument(help: "The directory to make.", completion: .directory)
    var directory: String

    @OptionGroup var answer: AnswerOptions

    func run() async throws {
      let request = RecordRequest(.dump, directory: URL(fileURLWithPath: directory).path)
      try await answer.print(ControlAPI.record, request, RecordText.render)
    }
  }
}
