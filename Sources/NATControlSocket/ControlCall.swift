package import NATControl
import NIOCore

/// A request with one document as its answer, as both ends of the control socket know it: how it travels, and
/// which operation carries it out. ``ControlAPI`` declares them.
package struct ControlCall<Input: Sendable, Document: Codable & Sendable>: Sendable {
  /// An input as it travels.
  struct Message {
    var parameters: [(name: String, value: String)] = []
    var body: [UInt8] = []
  }

  let method: ControlClient.Method
  let path: String
  /// A query or a body that the documentation shows; the text of a refusal quotes a body.
  let example: String
  /// The status of the answer.
  var status: @Sendable (Document) -> Int = { _ in 200 }
  /// The body of the answer.
  var encode: @Sendable (Document) throws(ControlError) -> [UInt8] = { document throws(ControlError) in
    try JSONBody.encoded(document)
  }
  /// Statuses other than 2xx whose answer is a document too.
  var otherStatuses: Set<Int> = []
  /// Whether the port of the metrics serves the request too.
  var isOnMetricsPort = false
  /// Whether the operation reads the table, which only a few may do at a time.
  var readsTable = false
  /// Whether the request is logged with the process, user and group of its client.
  var isLogged = true
  let write: @Sendable (Input) throws(ControlError) -> Message
  let read: @Sendable (inout ArrivedRequest) throws(ControlError) -> Input
  let carryOut: @Sendable (any GatewayOperations, Input) async throws(ControlError) -> Document

  /// The server's end of it.
  var route: Route {
    Route(method, path, example: example, isLogged: isLogged, isOnMetricsPort: isOnMetricsPort) {
      routes, request throws(ControlError) in
      let input = try read(&request)
      try request.parameters.end()
      let slot = readsTable ? try routes.takeTable() : nil
      defer { withExtendedLifetime(slot) {} }
      let document = try await carryOut(routes.operations, input)
      return .whole(status: status(document), type: MediaType.json, body: try encode(document))
    }
  }
}

extension ControlCall where Input == Void {
  /// A request without parameters and body.
  init(
    _ method: ControlClient.Method, _ path: String,
    carryOut: @escaping @Sendable (any GatewayOperations) async throws(ControlError) -> Document
  ) {
    self.init(
      method: method, path: path, example: path, write: { _ in Message() }, read: { _ in },
      carryOut: { gateway, _ throws(ControlError) in try await carryOut(gateway) })
  }
}

extension ControlCall where Input: Codable {
  /// A request with its input as the body.
  ///
  /// - Parameters:
  ///   - keys: those that the body may have.
  ///   - example: a body.
  init(
    _ method: ControlClient.Method, _ path: String, keys: [String], example: String,
    carryOut: @escaping @Sendable (any GatewayOperations, Input) async throws(ControlError) -> Document
  ) {
    self.init(
      method: method, path: path, example: example,
      write: { input throws(ControlError) in Message(body: try JSONBody.encoded(input)) },
      read: { request throws(ControlError) in
        try JSONBody.decoded(request.body, as: Input.self, keys: keys, example: example)
      }, carryOut: carryOut)
  }
}

extension ControlClient {
  /// Asks the daemon, and returns its answer as it came.
  package func json<Input, Document>(
    _ call: ControlCall<Input, Document>, _ input: Input
  ) async throws(ControlError) -> [UInt8] {
    let message = try call.write(input)
    return try await answer(
      call.method, call.path, message.parameters, body: message.body, accepting: call.otherStatuses)
  }

  /// Asks the daemon, and returns its answer.
  package func ask<Input, Document>(
    _ call: ControlCall<Input, Document>, _ input: Input
  ) async throws(ControlError) -> Document { try JSONBody.document(try await json(call, input)) }

  package func ask<Document>(
    _ call: ControlCall<Void, Document>
  ) async throws(ControlError) -> Document { try await ask(call, ()) }
}
