/// Writes a table as JSON, page by page, in pieces of 64 KiB or a little more.
///
/// ``append(_:)`` adds a page, ``nextPiece()`` gives its pieces, and ``finish(next:)`` closes the document. A
/// binding that continues on the next page stays one entry of the document.
/// - Complexity: O(sessions), in memory for one page and one piece.
public struct TableJSON: Sendable {
  private var json = JSONText()
  private var page: [BindingDocument] = []
  /// The next binding of the page, and the next session of it.
  private var place = (binding: 0, session: 0)
  /// The binding at the end of the document, without its sessions.
  private var last: BindingDocument?
  private var hasSession = false

  private static let pieceSize = 1 << 16

  public init() { json.raw(#"{"bindings":["#) }

  /// Adds the next page of bindings.
  /// - Precondition: ``nextPiece()`` has returned nil since the last page was added.
  public mutating func append(_ bindings: [BindingDocument]) {
    precondition(place.binding == page.count, "a page is written before the next one")
    page = bindings
    place.binding = 0
  }

  /// The next piece; nil if the rest of the page does not fill one. A later piece begins with that rest.
  public mutating func nextPiece() -> [UInt8]? {
    while place.binding < page.count, !isFull {
      let binding = page[place.binding]
      if last?.isSameBinding(as: binding) != true { begin(binding) }
      while place.session < binding.sessions.count, !isFull {
        if hasSession { json.raw(",") }
        hasSession = true
        binding.sessions[place.session].write(to: &json)
        place.session += 1
      }
      if place.session == binding.sessions.count { place = (place.binding + 1, 0) }
    }
    return isFull ? takeBytes() : nil
  }

  /// Closes the document with a line feed.
  /// - Parameter next: the cursor of the next page; nil if there is none.
  /// - Returns: the last piece.
  public mutating func finish(next: String?) -> [UInt8] {
    if last != nil { json.raw("]}") }
    json.raw(#"],"next":"#)
    if let next { json.string(next) } else { json.raw("null") }
    json.raw("}\n")
    return takeBytes()
  }

  private mutating func begin(_ binding: BindingDocument) {
    if last != nil { json.raw("]},") }
    last = binding
    last?.sessions = []
    hasSession = false
    json.member(#"{"protocol":"#, binding.transport)
    json.member(#","kind":"#, binding.kind)
    json.member(#","private":"#, binding.privateEndpoint)
    json.member(#","public":"#, binding.publicEndpoint)
    json.member(#","ageSeconds":"#, binding.age)
    json.raw(#","sessions":["#)
  }

  private var isFull: Bool { json.bytes.count >= TableJSON.pieceSize }

  private mutating func takeBytes() -> [UInt8] {
    defer {
      json.bytes = []
      json.bytes.reserveCapacity(TableJSON.pieceSize + 1024)
    }
    return json.bytes
  }
}

extension BindingDocument {
  fileprivate func isSameBinding(as other: BindingDocument) -> Bool {
    transport == other.transport && privateEndpoint == other.privateEndpoint
      && publicEndpoint == other.publicEndpoint
  }
}

extension SessionDocument {
  fileprivate func write(to json: inout JSONText) {
    json.member(#"{"remote":"#, remote)
    json.member(#","state":"#, state)
    json.member(#","idleSeconds":"#, idle)
    json.member(#","expiresInSeconds":"#, expiresIn)
    json.member(#","packetsOut":"#, packetsOut)
    json.member(#","bytesOut":"#, bytesOut)
    json.member(#","packetsIn":"#, packetsIn)
    json.member(#","bytesIn":"#, bytesIn)
    json.raw(hairpin ? #","hairpin":true}"# : #","hairpin":false}"#)
  }
}

extension JSONText {
  fileprivate mutating func member(_ key: StaticString, _ endpoint: EndpointDocument) {
    raw(key)
    member(#"{"address":"#, endpoint.address)
    member(#","port":"#, UInt64(endpoint.port))
    raw("}")
  }
}

extension TableDocument {
  /// Writes the document as JSON, keys in the documented order, in pieces of about 64 KiB.
  /// - Throws: what `sink` throws.
  public func write<Failure: Error>(to sink: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
    var table = TableJSON()
    table.append(bindings)
    while let piece = table.nextPiece() { try sink(piece) }
    try sink(table.finish(next: next))
  }

  /// The whole document as JSON text, keys in the documented order.
  public var json: String {
    var bytes: [UInt8] = []
    write { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }
}
