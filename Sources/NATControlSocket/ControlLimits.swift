/// What clients may cost the daemon.
public struct ControlLimits: Sendable {
  /// Connections at a time on each listener. One more gets a refusal and is closed.
  public var connections = 64
  /// Requests at a time that read the table: each holds a page in memory.
  public var tables = 8
  /// Readers of events at a time. The other connections stay free for requests.
  public var eventReaders = 16
  /// The largest body of a request, in bytes.
  public var bodyBytes = 64 << 10
  /// The largest head of a request: names and values of all header fields, in bytes.
  public var headerBytes = 16 << 10
  /// The most header fields of a request.
  public var headerFields = 64
  /// The longest path with its query, in bytes.
  public var targetBytes = 4 << 10
  /// From the opening of a connection, or from the end of an answer, to the end of the next request.
  public var requestTime = Duration.seconds(15)
  /// How long a client may leave its answer unread.
  public var stallTime = Duration.seconds(60)
  /// How long the rest of a refused request is read and discarded, so that the refusal arrives.
  public var lingerTime = Duration.seconds(2)
  /// Sessions in a page, and in each piece of a table that is sent whole.
  public var pageSessions = 65_536

  public init() {}
}
