import NATControl

/// Requests that change something.
extension Routes {
  func end(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    let filter = try TableFilter(&parameters)
    let all = try parameters.take("all", "true, or not given") { $0 == "true" ? true : nil } ?? false
    try parameters.end()
    if filter.isEmpty && !all {
      throw ControlError(
        status: 400, reason: "no-filter",
        "without a filter all sessions would end; give one of "
          + "\(TableFilter.parameterNames.joined(separator: ", ")), or all=true")
    }
    if !filter.isEmpty && all {
      throw ControlError(
        status: 400, reason: "filter-and-all", "all=true and a filter contradict each other; give one of them"
      )
    }
    return try .json(await operations.end(filter))
  }

  func addStatic(_ parameters: inout Parameters, _ request: ControlRequest) async throws(ControlError)
    -> Answer
  {
    try parameters.end()
    let entry = try JSONBody.decoded(
      request.body, as: StaticDocument.self, keys: StaticDocument.keys,
      example: #"{"protocol":"tcp","public":"203.0.113.5:8080","private":"192.168.1.10:80"}"#)
    return try .json(await operations.addStatic(entry), status: 201)
  }

  func removeStatic(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    let (transport, endpoint) = (parameters.take("protocol"), parameters.take("public"))
    try parameters.end()
    guard let transport, let endpoint else {
      throw ControlError(
        status: 400, reason: "missing-parameter",
        "\(transport == nil ? "protocol" : "public") is missing; the mapping to remove would be named like "
          + "protocol=tcp&public=203.0.113.5:8080")
    }
    return try .json(await operations.removeStatic(protocol: transport, public: endpoint))
  }

  func reload(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.reload())
  }

  func snapshot(_ parameters: inout Parameters) async throws(ControlError) -> Answer {
    try parameters.end()
    return try .json(await operations.snapshot())
  }

  func record(_ parameters: inout Parameters, _ request: ControlRequest) async throws(ControlError) -> Answer
  {
    try parameters.end()
    let wish = try JSONBody.decoded(
      request.body, as: RecordRequest.self, keys: ["action", "content", "directory"],
      example: #"{"action":"dump","directory":"/var/lib/portico/recording"}"#)
    return try .json(await operations.record(wish))
  }
}
