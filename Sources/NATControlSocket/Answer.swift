import NATControl
import NIOCore
import NIOHTTP1

/// The answer to a request.
enum Answer: Sendable {
  case whole(status: Int, type: String, body: [UInt8], allow: String? = nil)
  /// A body that `write` sends piece by piece. If it throws, the connection is cut: no client takes a part
  /// for the whole.
  case stream(type: String, write: @Sendable (PieceWriter) async throws -> Void)

  /// - Parameter allow: the methods of the path, if the request used another.
  static func error(_ error: ControlError, allow: String? = nil) -> Answer {
    .whole(status: error.status, type: MediaType.json, body: error.json, allow: allow)
  }

  /// The status of the answer's head.
  var status: Int {
    switch self {
    case .whole(let status, _, _, _): status
    case .stream: 200
    }
  }
}

/// Sends the pieces of a body. Each waits until the connection has room for it.
struct PieceWriter: Sendable {
  let outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

  func write(_ bytes: [UInt8]) async throws {
    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
  }
}
