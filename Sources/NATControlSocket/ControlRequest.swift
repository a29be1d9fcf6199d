private import FoundationEssentials
import NATControl
import NIOCore
import NIOHTTP1

/// A whole request within its limits.
struct ControlRequest: Sendable {
  var method: HTTPMethod
  /// The path and the query, as they came.
  var target: String
  var body: ByteBuffer

  /// The path, and the parameters of the query in their order, percent-decoded.
  func parts() throws(ControlError) -> (path: String, parameters: [(name: String, value: String)]) {
    // A proxy's form (`http://portico/v1/status`) and the plain one (`/v1/status`) are both read.
    guard let components = URLComponents(string: target) else {
      throw ControlError(
        status: 400, reason: "bad-target",
        "\(quoted(target)) is not a path with a query; expected something like /v1/table?protocol=tcp")
    }
    return (components.path, (components.queryItems ?? []).map { ($0.name, $0.value ?? "") })
  }

  /// A path and parameters as a target.
  static func target(_ path: String, _ parameters: [(name: String, value: String)]) -> String {
    var components = URLComponents()
    components.path = path
    if !parameters.isEmpty {
      components.queryItems = parameters.map { URLQueryItem(name: $0.name, value: $0.value) }
    }
    return components.string ?? path
  }
}

/// Text from a client, in quotes and cut to 80 characters.
func quoted(_ text: some StringProtocol) -> String {
  text.count > 80 ? "'\(text.prefix(80))...'" : "'\(text)'"
}
