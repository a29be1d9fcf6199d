import Glibc
public import Logging
import NATSystem

/// Writes log lines for the journal of the service manager, each with its priority in front (sd-daemon(3)).
/// The journal adds time and program.
public struct JournalLogHandler: LogHandler {
  public var logLevel = Logger.Level.trace
  public var metadata: Logger.Metadata = [:]

  public init() {}

  /// Whether standard error goes to the journal: `JOURNAL_STREAM` names its device and inode.
  public static func isListening(_ environment: [String: String]) -> Bool {
    var facts = stat()
    // Safety: the structure is ours.
    guard unsafe fstat(STDERR_FILENO, &facts) == 0 else { return false }
    return environment["JOURNAL_STREAM"] == "\(facts.st_dev):\(facts.st_ino)"
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let text = Self.text(
      event.level, "\(event.message)", metadata.merging(event.metadata ?? [:]) { $1 })
    // One call, so that the lines of several threads do not mix.
    _ = writeAll(Array(text.utf8), to: STDERR_FILENO)
  }

  /// The lines of a message, each with its priority.
  static func text(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
    let fields = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    return (message + fields).split(separator: "\n").map { "<\(priority(level))>\($0)\n" }.joined()
  }

  /// The numbers of syslog(3).
  private static func priority(_ level: Logger.Level) -> Int {
    switch level {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
