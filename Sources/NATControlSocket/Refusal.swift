import NATControl
import NIOCore
import NIOHTTP1

/// The answer to a request that is refused before it reaches a route. The connection closes after it.
struct Refusal {
  let head: HTTPResponseHead
  let body: ByteBuffer

  init(_ error: ControlError) {
    body = ByteBuffer(bytes: error.json)
    head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: error.status),
      headers: [
        "content-type": MediaType.json, "content-length": "\(body.readableBytes)", "connection": "close",
      ])
  }
}

enum MediaType {
  static let json = "application/json"
  /// One JSON object a line.
  static let lines = "application/x-ndjson"
  /// The text format of Prometheus.
  static let metrics = "text/plain; version=0.0.4; charset=utf-8"
}
