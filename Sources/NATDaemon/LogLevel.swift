public import Logging
import NATConfiguration
private import Synchronization

/// The level of the log. It follows the setting `log.level` while the daemon runs.
public final class LogLevel: ChangeObserver, Sendable {
  private let level: Mutex<Logger.Level>

  public init(_ level: Logger.Level) { self.level = Mutex(level) }

  public var value: Logger.Level {
    get { level.withLock { $0 } }
    set { level.withLock { $0 = newValue } }
  }

  func follow(_ live: Configuration) { value = Logger.Level(live.log.level) }
}

extension Logger.Level {
  init(_ level: Configuration.LogLevel) { self = Logger.Level(rawValue: level.rawValue) ?? .info }
}

/// A handler whose level is a ``LogLevel``. Copies of a logger copy its level; with this handler all follow a
/// change.
public struct LevelledLogHandler: LogHandler {
  private var base: any LogHandler
  private let level: LogLevel

  public init(_ base: any LogHandler, level: LogLevel) {
    self.base = base
    self.level = level
    // This handler decides what is logged, so the base logs everything.
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
