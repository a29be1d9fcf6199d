import NATControl

/// Requests that change nothing.
extension Routes {
  func status(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.status())
  }

  func stats(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return .whole(status: 200, type: MediaType.json, body: Array(try await operations.stats().json.utf8))
  }

  func table(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    let filter = try TableFilter(&parameters)
    let limit = try takeLimit(&parameters)
    let cursor = parameters.take("cursor")
    try parameters.end()
    let slot = try takeTable()
    let first = try await operations.table(filter, after: cursor, limit: limit ?? limits.pageSessions)
    let whole = TableAnswer(
      operations: operations, filter: filter, pageSessions: limits.pageSessions, first: first)
    return .stream(type: MediaType.json) { writer in
      if limit == nil {
        try await whole.write(to: writer)
      } else {
        try await writer.writePage(first)
      }
      withExtendedLifetime(slot) {}
    }
  }

  func hosts(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    let limit = try takeLimit(&parameters)
    try parameters.end()
    let slot = try takeTable()
    defer { withExtendedLifetime(slot) {} }
    return try .json(await operations.hosts(limit: limit ?? HostsDocument.mostListed))
  }

  func metrics(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    let slot = try takeTable()
    defer { withExtendedLifetime(slot) {} }
    let text = MetricsText.render(
      status: try await operations.status(), stats: try await operations.stats(),
      sessions: try await operations.sessionCounts(), requests: counts.list)
    return .whole(status: 200, type: MediaType.metrics, body: Array(text.utf8))
  }

  func events(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    guard let slot = eventReaders.take() else {
      throw ControlError(
        status: 503, reason: "too-many-event-readers",
        "\(limits.eventReaders) clients follow the events; end one, or try again later")
    }
    let events = try await operations.events()
    return .stream(type: MediaType.lines) { writer in
      for await event in events { try await writer.write(try JSONBody.encoded(event)) }
      withExtendedLifetime(slot) {}
    }
  }

  func statics(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.statics())
  }

  func config(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.configuration())
  }

  func recording(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.recording())
  }

  func explain(_ parameters: inout Parameters, _ request: ControlRequest) async throws(ControlError) -> Answer
  {
    try parameters.end()
    let question = try JSONBody.decoded(
      request.body, as: ExplainRequest.self,
      keys: ["from", "protocol", "source", "destination", "flags", "ttl", "length"],
      example: #"{"from":"inside","protocol":"tcp","source":{"address":"192.168.1.2","port":1234},"#
        + #""destination":{"address":"142.250.195.100","port":443}}"#)
    return try .json(await operations.explain(question))
  }

  private func takeLimit(_ parameters: inout Parameters) throws(ControlError) -> Int? {
    let most = limits.pageSessions
    return try parameters.take("limit", "a number from 1 to \(most)") { text in
      Int(text).flatMap { (1...most).contains($0) ? $0 : nil }
    }
  }

  /// Each of them holds a page in memory.
  private func takeTable() throws(ControlError) -> Slots.Slot {
    guard let slot = tables.take() else {
      throw ControlError(
        status: 503, reason: "too-many-tables",
        "\(limits.tables) tables are being read; try again when one is done")
    }
    return slot
  }
}

extension PieceWriter {
  func writePage(_ page: TableDocument) async throws {
    var json = TableJSON()
    for binding in page.bindings {
      json.append(binding)
      if json.isFull { try await write(json.takeBytes()) }
    }
    json.finish(next: page.next)
    try await write(json.takeBytes())
  }
}
