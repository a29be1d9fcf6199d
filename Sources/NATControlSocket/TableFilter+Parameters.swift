public import NATControl

extension TableFilter {
  /// The names of the filters, as parameters of a query.
  public static let parameterNames = ["protocol", "private", "public", "remote", "state", "kind"]

  /// Reads the filters among the parameters of a query, by their names.
  /// - Throws: `bad-value`, with the wrong value and what would be right.
  public init(_ values: [String: String]) throws(ControlError) {
    var parameters = try Parameters(values.map { (name: $0.key, value: $0.value) })
    try self.init(&parameters)
    try parameters.end()
  }

  init(_ parameters: inout Parameters) throws(ControlError) {
    self.init()
    transport = try parameters.take("protocol", oneOf(TransportName.self), TransportName.init(rawValue:))
    privateEndpoint = try parameters.take("private", patternForm, EndpointPattern.init(_:))
    publicEndpoint = try parameters.take("public", patternForm, EndpointPattern.init(_:))
    remote = try parameters.take("remote", patternForm, EndpointPattern.init(_:))
    state = try parameters.take(
      "state", oneOf(SessionDocument.State.self), SessionDocument.State.init(rawValue:))
    kind = try parameters.take(
      "kind", oneOf(BindingDocument.Kind.self), BindingDocument.Kind.init(rawValue:))
  }

  /// The filter as parameters of a query, in the documented order.
  public var parameters: [(name: String, value: String)] {
    let values = [
      transport?.rawValue, privateEndpoint?.description, publicEndpoint?.description, remote?.description,
      state?.rawValue, kind?.rawValue,
    ]
    return zip(TableFilter.parameterNames, values).compactMap { name, value in value.map { (name, $0) } }
  }
}

private let patternForm =
  "an address, a prefix or an address and port: 192.168.1.2, 192.168.1.0/24, 192.168.1.2:1234"

private func oneOf<Name: CaseIterable & RawRepresentable>(_ type: Name.Type) -> String
where Name.RawValue == String {
  Name.allCases.map(\.rawValue).joined(separator: ", ")
}
