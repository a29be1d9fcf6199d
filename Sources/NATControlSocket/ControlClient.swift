public import NATControl
import NIOCore
import NIOHTTP1
import NIOPosix

/// The client's end of the control socket. It opens one connection for each request.
///
/// If no answer arrives, the error is a `ControlError` with status 0: `not-there`, `not-permitted` or
/// `cut-off`.
public struct ControlClient: Sendable {
  public enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case delete = "DELETE"
  }

  public let socketPath: String
  /// How long the daemon may be silent within an answer. Events are exempt.
  private let patience: Duration

  public init(socketPath: String, patience: Duration = .seconds(60)) {
    self.socketPath = socketPath
    self.patience = patience
  }

  /// Sends a request and returns the whole body of its answer.
  /// - Parameter statuses: those that are no errors, besides 2xx.
  /// - Throws: the error of an answer with another status.
  public func answer(
    _ method: Method, _ path: String, _ parameters: [(name: String, value: String)] = [], body: [UInt8] = [],
    accepting statuses: Set<Int> = []
  ) async throws(ControlError) -> [UInt8] {
    var whole: [UInt8] = []
    try await stream(method, path, parameters, body: body, accepting: statuses) { whole += $0 }
    return whole
  }

  /// Sends a request and passes the body of its answer on piece by piece, in memory for one piece. A slow
  /// receiver slows the daemon's answer.
  /// - Parameter isPatient: whether the daemon may be silent without limit.
  /// - Throws: the error of an answer with another status than 2xx; a `ControlError` that `receive` throws.
  public func stream(
    _ method: Method, _ path: String, _ parameters: [(name: String, value: String)] = [], body: [UInt8] = [],
    isPatient: Bool = false, accepting statuses: Set<Int> = [], receive: ([UInt8]) async throws -> Void
  ) async throws(ControlError) {
    do {
      let channel = try await connect(isPatient: isPatient)
      try await channel.executeThenClose { inbound, outbound in
        // In one write: a daemon that has the head of a GET may answer and close before the end arrives.
        var parts: [HTTPClientRequestPart] = [.head(head(method, path, parameters, length: body.count))]
        if !body.isEmpty { parts.append(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        try await outbound.write(contentsOf: parts + [.end(nil)])
        try await read(inbound, statuses, receive)
      }
    } catch let error as ControlError {
      throw error
    } catch is CancellationError {
      throw ControlError(status: 0, reason: "cancelled", "the request was cancelled")
    } catch {
      throw ControlError(
        status: 0, reason: "cut-off", "\(socketPath): the daemon ended the connection: \(error)")
    }
  }

  private func head(
    _ method: Method, _ path: String, _ parameters: [(name: String, value: String)], length: Int
  ) -> HTTPRequestHead {
    var head = HTTPRequestHead(
      version: .http1_1, method: HTTPMethod(rawValue: method.rawValue),
      uri: ControlRequest.target(path, parameters),
      headers: ["host": "portico", "connection": "close", "user-agent": "portico"])
    if length > 0 { head.headers.add(name: "content-type", value: MediaType.json) }
    if length > 0 || method == .post { head.headers.add(name: "content-length", value: "\(length)") }
    return head
  }

  private func read(
    _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, _ statuses: Set<Int>,
    _ receive: ([UInt8]) async throws -> Void
  ) async throws {
    var status = 0
    var refusal = ByteBuffer()
    for try await part in inbound {
      switch part {
      case .head(let head) where head.status.code >= 200: status = Int(head.status.code)
      case .head: break
      case .body(var piece):
        if (200..<300).contains(status) || statuses.contains(status) {
          try await receive(Array(buffer: piece))
        } else if refusal.readableBytes < 1 << 20 {
          refusal.writeBuffer(&piece)
        }
      case .end:
        if !(200..<300).contains(status), !statuses.contains(status) {
          throw JSONBody.refusal(refusal, status: status)
        }
        return
      }
    }
    throw ControlError(
      status: 0, reason: "cut-off",
      "\(socketPath): the answer is not whole: the daemon stopped, met an error of its own, or waited too long "
        + "for its reader")
  }

  private func connect(
    isPatient: Bool
  ) async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart> {
    do {
      return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(unixDomainSocketPath: socketPath) { channel in
          channel.eventLoop.makeCompletedFuture {
            if !isPatient {
              try channel.pipeline.syncOperations.addHandlers([
                IdleStateHandler(readTimeout: TimeAmount(patience)), IdleCloser(),
              ])
            }
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
          }
        }
    } catch let error as IOError {
      throw unreachable(error)
    } catch let error as NIOConnectionError {
      throw unreachable(error.connectionErrors.lazy.compactMap { $0.error as? IOError }.first)
    } catch is SocketAddressError {
      throw ControlError(
        status: 0, reason: "not-there",
        "\(socketPath): the path is too long for a socket; 107 bytes are the most")
    }
  }

  private func unreachable(_ error: IOError?) -> ControlError {
    switch error?.errnoCode {
    // ENOENT, ECONNREFUSED
    case 2, 111:
      ControlError(
        status: 0, reason: "not-there",
        "\(socketPath): no daemon listens there; start porticod, or give the path of its socket with --socket"
      )
    // EACCES, EPERM
    case 13, 1:
      ControlError(
        status: 0, reason: "not-permitted",
        "\(socketPath): not permitted; be root or of the group that control.group names")
    default:
      ControlError(
        status: 0, reason: "not-there",
        "\(socketPath): cannot connect: \(error.map { "\($0)" } ?? "no reason is known")")
    }
  }
}

/// Closes a connection that has been idle for too long.
private final class IdleCloser: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent {
      context.close(promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }
}
