public import NATControl
public import NATTable
public import NATWire

/// One page of the table: the first entries after a cursor.
///
/// The table may change while it is read. Entries are sorted as in ``TableDocument``. The cursor is the key
/// of an entry, not its position, so a client that reads all pages sees each entry that lives throughout
/// exactly once. Expired sessions that have not ended yet are left out.
///
/// - Complexity: one walk over the table in O(n log limit). Memory: two pages and the port forwards.
public struct TablePage {
  private struct Entry {
    var key: BindingKey
    /// Nil for a port forward without sessions.
    var session: SessionSnapshot?
  }

  private let filter: SessionFilter
  private let after: BindingKey?
  private let limit: Int
  private let now: Instant
  private var entries: [Entry] = []
  /// Entries after this one are not on the page.
  private var last: BindingKey?
  /// Port forwards that are listed with their sessions.
  private var used: Set<BindingKey> = []

  /// - Parameters:
  ///   - cursor: `next` of the previous page; nil for the first page.
  ///   - limit: the most entries on the page; 0 counts as 1.
  ///   - now: sessions that expire before are left out.
  /// - Returns: nil if the cursor is invalid.
  public init?(_ filter: SessionFilter, after cursor: String?, limit: Int, at now: Instant) {
    if let cursor {
      guard let key = BindingKey(cursor: cursor) else { return nil }
      after = key
    } else {
      after = nil
    }
    self.filter = filter
    self.limit = min(max(1, limit), 1 << 30)
    self.now = now
  }

  /// A page for the whole table.
  init(at now: Instant) {
    filter = SessionFilter()
    after = nil
    limit = 1 << 30
    self.now = now
  }

  /// Adds a session of the walk.
  public mutating func add(_ session: SessionSnapshot) {
    guard session.expires >= now, session.kind.isLive, filter.matches(session) else { return }
    if session.kind == .portForward { used.insert(BindingKey(session)) }
    var key = BindingKey(session)
    key.remote = session.remote
    add(Entry(key: key, session: session))
  }

  private mutating func add(_ entry: Entry) {
    if let after, entry.key <= after { return }
    if let last, last < entry.key { return }
    entries.append(entry)
    // Keep one entry more than the page has, to know whether another page follows.
    if entries.count > 2 * (limit + 1) { cut() }
  }

  private mutating func cut() {
    entries.sort { $0.key < $1.key }
    guard entries.count > limit + 1 else { return }
    entries.removeSubrange((limit + 1)...)
    last = entries[limit].key
  }

  /// The page. Call it after all sessions were added.
  /// - Parameter started: when the gateway started; port forwards are as old.
  public consuming func document(_ reader: TableReader, started: Instant) -> TableDocument {
    var forwards: [Entry] = []
    reader.portForwards { forward in
      let key = BindingKey(forward)
      if filter.matches(forward), !used.contains(key) { forwards.append(Entry(key: key)) }
    }
    for forward in forwards { add(forward) }
    cut()
    entries.sort { $0.key < $1.key }
    var bindings: [(key: BindingKey, document: BindingDocument)] = []
    for entry in entries.prefix(limit) {
      var key = entry.key
      key.remote = Endpoint(.any, 0)
      guard let session = entry.session else {
        let forward = PortForward(key.transport, public: key.public, private: key.private)
        bindings.append((key, BindingDocument(forward, started: started, at: now)))
        continue
      }
      if bindings.last?.key != key {
        bindings.append((key, BindingDocument(session, started: started, at: now)))
      }
      bindings[bindings.count - 1].document.sessions.append(SessionDocument(session, at: now))
    }
    let next = entries.count > limit ? entries[limit - 1].key.cursor : nil
    return TableDocument(bindings: bindings.map(\.document), next: next)
  }
}

extension BindingKey {
  /// The key as opaque text: the protocol number and the three endpoints in hexadecimal.
  fileprivate var cursor: String {
    func text(_ endpoint: Endpoint) -> String {
      let number = UInt64(endpoint.address.rawValue) << 16 | UInt64(endpoint.port)
      let digits = String(number, radix: 16)
      return String(repeating: "0", count: 12 - digits.count) + digits
    }
    return "\(transport.rawValue)" + text(self.private) + text(self.public) + text(remote)
  }

  fileprivate init?(cursor: String) {
    let digits = Array(cursor.utf8)
    guard digits.count == 37, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let transport = TransportProtocol(rawValue: digits[0] &- UInt8(ascii: "0"))
    else { return nil }
    func endpoint(_ place: Int) -> Endpoint {
      let text = String(decoding: digits[1 + place * 12..<13 + place * 12], as: UTF8.self)
      let number = UInt64(text, radix: 16) ?? 0
      return Endpoint(IPv4Address(UInt32(number >> 16)), UInt16(truncatingIfNeeded: number))
    }
    self.init(transport: transport, private: endpoint(0), public: endpoint(1), remote: endpoint(2))
  }
}

extension TableReader {
  /// Records read in one chunk, which takes a fraction of a millisecond.
  package static let chunk = 16384
}

extension SessionFilter {
  /// The filter of a request.
  public init(_ filter: TableFilter) {
    self.init()
    transport = filter.transport.map { TransportProtocol($0) }
    self.private = filter.privateEndpoint.map { Pattern($0) }
    self.public = filter.publicEndpoint.map { Pattern($0) }
    remote = filter.remote.map { Pattern($0) }
    phase = filter.state.map { SessionState.Phase($0) }
    isStatic = filter.kind.map { $0 == .static }
  }
}

extension SessionFilter.Pattern {
  fileprivate init(_ pattern: EndpointPattern) {
    self.init(
      IPv4Network(IPv4Address(pattern.network), prefixLength: pattern.prefixLength), port: pattern.port)
  }
}

extension TransportProtocol {
  package init(_ name: TransportName) {
    self =
      switch name {
      case .icmp: .icmp
      case .tcp: .tcp
      case .udp: .udp
      }
  }
}

extension SessionState.Phase {
  fileprivate init(_ state: SessionDocument.State) {
    self =
      switch state {
      case .synSent: .synSent
      case .established: .established
      case .halfClosed: .halfClosed
      case .closed: .closed
      case .reset: .reset
      case .active: .active
      }
  }
}
