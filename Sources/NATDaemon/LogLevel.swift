public import Logging
private import Synchronization

/// The level of a log that may change while the daemon runs.
public final class LogLevel: Sendable {
  private let level: Mutex<Logger.Level>

  public init(_ level: Logger.Level) { self.level = Mutex(level) }

  public var value: Logger.Level {
    get { level.withLock { $0 } }
    set { level.withLock { $0 = newValue } }
  }
}

/// A handler whose level is a ``LogLevel``: loggers are copied with their level, and all are to follow a change.
public struct LevelledLogHandler: LogHandler {
  private var base: any LogHandler
  private let level: LogLevel

  public init(_ base: any LogHandler, level: LogLevel) {
    self.base = base
    self.level = level
    // What is logged is decided here.
    self.base.logLevel = .trace
  }

  public var logLevel: Logger.Level {
    get { level.value }
    set { level.value = newValue }
  }

  public var metadata: Logger.Metadata {
    get { base.metadata }
    set { base.metadata = newValue }
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { base[metadataKey: key] }
    set { base[metadataKey: key] = newValue }
  }

  public func log(event: LogEvent) { base.log(event: event) }
}
