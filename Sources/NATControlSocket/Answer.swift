import NATControl
import NIOCore
import NIOHTTP1

/// What a request is answered with.
enum Answer: Sendable {
  case whole(status: Int, type: String, body: [UInt8], allow: String? = nil)
  /// Goes on with what `write` sends, piece by piece; where it throws, the connection is cut, so that no reader
  /// takes a part for the whole.
  case stream(type: String, write: @Sendable (PieceWriter) async throws -> Void)

  /// A document as JSON, its keys in their order by name.
  static func json(_ document: some Encodable, status: Int = 200) throws(ControlError) -> Answer {
    .whole(status: status, type: MediaType.json, body: try JSONBody.encoded(document))
  }

  /// - Parameter allow: the methods there are, where another was used.
  static func error(_ error: ControlError, allow: String? = nil) -> Answer {
    .whole(status: error.status, type: MediaType.json, body: error.json, allow: allow)
  }

  /// Of the answer's head.
  var status: Int {
    switch self {
    case .whole(let status, _, _, _): status
    case .stream: 200
    }
  }
}

/// Sends pieces of a body, each when the connection has room for it.
struct PieceWriter: Sendable {
  let outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

  func write(_ bytes: [UInt8]) async throws {
    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
  }
}
