extension StatsDocument {
  /// The document as JSON text with its keys in the documented order, and a line feed at its end: what `GET /v1/stats` and
  /// `portico replay --stats` write. Codable sorts the keys, so it only reads the document (see ``JSONText``).
  public var json: String {
    var json = JSONText()
    json.raw(#"{"uptimeSeconds":"#)
    json.number(uptime)
    json.raw(#","bindings":"#)
    json.number(UInt64(bindings))
    json.raw(#","sessions":"#)
    json.number(UInt64(sessions))
    json.raw(#","inside":"#)
    json.side(inside)
    json.raw(#","outside":"#)
    json.side(outside)
    json.raw(#","pool":["#)
    for (index, entry) in pool.enumerated() {
      if index > 0 { json.raw(",") }
      json.pool(entry)
    }
    json.raw(#"],"drops":"#)
    json.object(drops.counters.map { ($0.name, $0.count) })
    json.raw(#","events":"#)
    json.object(events.named)
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

extension JSONText {
  fileprivate mutating func side(_ side: StatsDocument.SideStats) {
    object([
      ("packetsReceived", side.packetsReceived), ("bytesReceived", side.bytesReceived),
      ("packetsSent", side.packetsSent), ("bytesSent", side.bytesSent),
      ("captureDropped", side.captureDropped),
    ])
  }

  fileprivate mutating func pool(_ pool: StatsDocument.PoolStats) {
    raw(#"{"address":"#)
    string(pool.address)
    raw(#","protocol":"#)
    string(pool.transport.rawValue)
    raw(#","ports":"#)
    number(UInt64(pool.ports))
    raw(#","inUse":"#)
    number(UInt64(pool.inUse))
    raw(#","resting":"#)
    number(UInt64(pool.resting))
    raw("}")
  }

  fileprivate mutating func object(_ members: [(String, UInt64)]) {
    raw("{")
    for (index, (name, value)) in members.enumerated() {
      if index > 0 { raw(",") }
      string(name)
      raw(":")
      number(value)
    }
    raw("}")
  }
}
