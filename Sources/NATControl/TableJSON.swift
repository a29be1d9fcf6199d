/// Writes a table as JSON piece by piece, in memory that does not grow with the table.
///
/// Append a binding, then its sessions one by one (or a binding with its sessions). When ``isFull``, take the bytes.
/// ``finish(next:)`` closes the document.
public struct TableJSON: Sendable {
  private var json = JSONText()
  private var hasBinding = false
  private var hasSession = false

  private static let chunkSize = 1 << 16

  public init() {
    json.raw(#"{"bindings":["#)
  }

  /// Whether 64 KiB have gathered, which are worth a write.
  public var isFull: Bool { json.bytes.count >= TableJSON.chunkSize }

  /// Takes the bytes that have gathered since the last call.
  public mutating func takeBytes() -> [UInt8] {
    defer {
      json.bytes = []
      json.bytes.reserveCapacity(TableJSON.chunkSize + 1024)
    }
    return json.bytes
  }

  /// Appends a binding and the sessions it holds.
  /// - Complexity: O(sessions).
  public mutating func append(_ binding: BindingDocument) {
    begin(binding)
    for session in binding.sessions { append(session) }
  }

  /// Appends a session to the binding appended last.
  /// - Precondition: there is one, and the document is not finished.
  public mutating func append(_ session: SessionDocument) {
    precondition(hasBinding, "a session belongs to a binding")
    if hasSession { json.raw(",") }
    hasSession = true
    json.raw(#"{"remote":"#)
    json.endpoint(session.remote)
    json.raw(#","state":"#)
    json.string(session.state.rawValue)
    json.raw(#","idleSeconds":"#)
    json.number(session.idle)
    json.raw(#","expiresInSeconds":"#)
    json.number(session.expiresIn)
    json.raw(#","packetsOut":"#)
    json.number(session.packetsOut)
    json.raw(#","bytesOut":"#)
    json.number(session.bytesOut)
    json.raw(#","packetsIn":"#)
    json.number(session.packetsIn)
    json.raw(#","bytesIn":"#)
    json.number(session.bytesIn)
    json.raw(#","hairpin":"#)
    json.boolean(session.hairpin)
    json.raw("}")
  }

  /// Closes the document with a line feed.
  public mutating func finish(next: String?) {
    endBinding()
    hasBinding = false
    json.raw(#"],"next":"#)
    if let next { json.string(next) } else { json.raw("null") }
    json.raw("}\n")
  }

  /// A binding without the sessions it holds.
  fileprivate mutating func begin(_ binding: BindingDocument) {
    endBinding()
    if hasBinding { json.raw(",") }
    hasBinding = true
    hasSession = false
    json.raw(#"{"protocol":"#)
    json.string(binding.transport.rawValue)
    json.raw(#","kind":"#)
    json.string(binding.kind.rawValue)
    json.raw(#","private":"#)
    json.endpoint(binding.privateEndpoint)
    json.raw(#","public":"#)
    json.endpoint(binding.publicEndpoint)
    json.raw(#","ageSeconds":"#)
    json.number(binding.age)
    json.raw(#","sessions":["#)
  }

  private mutating func endBinding() {
    if hasBinding { json.raw("]}") }
  }
}

extension JSONText {
  fileprivate mutating func endpoint(_ endpoint: EndpointDocument) {
    raw(#"{"address":"#)
    string(endpoint.address)
    raw(#","port":"#)
    number(UInt64(endpoint.port))
    raw("}")
  }
}

extension TableDocument {
  /// Writes the document as JSON, keys in the documented order, in pieces of about 64 KiB.
  /// - Throws: what `sink` throws.
  public func write<Failure: Error>(to sink: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
    var table = TableJSON()
    for binding in bindings {
      table.begin(binding)
      for session in binding.sessions {
        table.append(session)
        if table.isFull { try sink(table.takeBytes()) }
      }
      if table.isFull { try sink(table.takeBytes()) }
    }
    table.finish(next: next)
    try sink(table.takeBytes())
  }

  /// The whole document as JSON text, keys in the documented order.
  public var json: String {
    var bytes: [UInt8] = []
    write { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }
}
