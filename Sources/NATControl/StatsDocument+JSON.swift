extension StatsDocument {
  /// The document as JSON text with its keys in the documented order, and a line feed at its end: what
  /// `GET /v1/stats` and `portico replay --stats` write. Codable sorts the keys, so it only reads the
  /// document (see ``JSONText``).
  public var json: String {
    var json = JSONText()
    json.member(#"{"uptimeSeconds":"#, uptime)
    json.member(#","bindings":"#, UInt64(bindings))
    json.member(#","sessions":"#, UInt64(sessions))
    json.member(#","inside":"#, inside.named)
    json.member(#","outside":"#, outside.named)
    json.raw(#","pool":["#)
    for (index, entry) in pool.enumerated() {
      if index > 0 { json.raw(",") }
      json.member(#"{"address":"#, entry.address)
      json.member(#","protocol":"#, entry.transport)
      json.member(#","ports":"#, UInt64(entry.ports))
      json.member(#","inUse":"#, UInt64(entry.inUse))
      json.member(#","resting":"#, UInt64(entry.resting))
      json.raw("}")
    }
    json.member(#"],"drops":"#, drops.counters.map { ($0.name, $0.count) })
    json.member(#","events":"#, events.named)
    json.raw("}\n")
    return json.text
  }
}

extension StatsDocument.EventStats {
  /// The counters with their names, in the documented order.
  var named: [(String, UInt64)] {
    [
      ("bindingsCreated", bindingsCreated), ("sessionsCreated", sessionsCreated),
      ("sessionsExpired", sessionsExpired), ("hairpins", hairpins),
      ("icmpErrorsSuppressed", icmpErrorsSuppressed), ("leftToKernel", leftToKernel),
    ]
  }
}

extension StatsDocument.SideStats {
  fileprivate var named: [(String, UInt64)] {
    [
      ("packetsReceived", packetsReceived), ("bytesReceived", bytesReceived), ("packetsSent", packetsSent),
      ("bytesSent", bytesSent), ("captureDropped", captureDropped),
    ]
  }
}

extension JSONText {
  fileprivate mutating func member(_ key: StaticString, _ counters: [(String, UInt64)]) {
    raw(key)
    raw("{")
    for (index, (name, value)) in counters.enumerated() {
      if index > 0 { raw(",") }
      string(name)
      raw(":")
      number(value)
    }
    raw("}")
  }
}
