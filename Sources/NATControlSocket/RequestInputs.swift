import NATControl

/// Which part of the table is asked for.
struct TableRequest: Sendable {
  var filter: TableFilter
  /// Sessions of a page; nil for the whole table.
  var limit: Int?
  var cursor: String?

  var parameters: [(name: String, value: String)] {
    filter.parameters + (limit.map { [("limit", "\($0)")] } ?? []) + (cursor.map { [("cursor", $0)] } ?? [])
  }
}

extension TableRequest {
  init(_ request: inout ArrivedRequest) throws(ControlError) {
    filter = try TableFilter(&request.parameters)
    limit = try request.takeLimit()
    cursor = request.parameters.take("cursor")
  }
}

extension TableFilter {
  /// Reads which sessions to end: those that the filter parameters match, or all with `all=true`.
  /// - Throws: `no-filter`, `filter-and-all`.
  init(ending parameters: inout Parameters) throws(ControlError) {
    try self.init(&parameters)
    let all = try parameters.take("all", "true, or not given") { $0 == "true" ? true : nil } ?? false
    try parameters.end()
    if isEmpty && !all {
      throw ControlError(
        status: 400, reason: "no-filter",
        "without a filter all sessions would end; give one of "
          + "\(TableFilter.parameterNames.joined(separator: ", ")), or all=true")
    }
    if !isEmpty && all {
      throw ControlError(
        status: 400, reason: "filter-and-all", "all=true and a filter contradict each other; give one of them"
      )
    }
  }
}

/// A static mapping by its protocol and public endpoint, as the configuration writes them.
package struct StaticName: Sendable {
  let transport: String
  let endpoint: String

  package init(transport: String, endpoint: String) {
    self.transport = transport
    self.endpoint = endpoint
  }

  init(_ parameters: inout Parameters) throws(ControlError) {
    let (transport, endpoint) = (parameters.take("protocol"), parameters.take("public"))
    try parameters.end()
    guard let transport, let endpoint else {
      throw ControlError(
        status: 400, reason: "missing-parameter",
        "\(transport == nil ? "protocol" : "public") is missing; the mapping to remove would be named like "
          + "protocol=tcp&public=203.0.113.5:8080")
    }
    self.init(transport: transport, endpoint: endpoint)
  }
}
