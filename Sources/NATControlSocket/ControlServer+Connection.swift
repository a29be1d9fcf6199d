import Logging
import NATControl
import NIOCore
import NIOHTTP1

extension ControlServer {
  /// Answers the requests of a connection, one after the other, until either side ends it.
  func serve(_ connection: Connection, serving served: [Route]) async {
    // A stream that waits for an event does not notice by itself that its reader is gone.
    let (gone, signal) = AsyncStream<Never>.makeStream()
    connection.channel.channel.closeFuture.whenComplete { _ in signal.finish() }
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask { for await _ in gone {} }
      tasks.addTask {
        do {
          try await connection.channel.executeThenClose { requests, outbound in
            for try await request in requests {
              try await answer(request, of: connection.peer, among: served, outbound)
            }
          }
        } catch let error as ControlError {
          logger.error("an answer could not be finished", metadata: ["reason": "\(error.error)"])
        } catch {
          // The client is gone, or did not read its answer.
          logger.debug("control connection ended", metadata: ["reason": "\(error)"])
        }
      }
      await tasks.next()
      tasks.cancelAll()
    }
    withExtendedLifetime(connection.slot) {}
  }

  private func answer(
    _ request: ControlRequest, of peer: PeerCredentials?, among served: [Route],
    _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
  ) async throws {
    let (route, answer) = await routes.answer(request, among: served)
    routes.counts.count(route?.name ?? "other", status: answer.status)
    if route?.isLogged ?? (request.method != .GET) { log(request, of: peer, status: answer.status) }
    switch answer {
    case .whole(let status, let type, let body, let allow):
      var head = HTTPResponseHead(
        version: .http1_1, status: HTTPResponseStatus(statusCode: status),
        headers: ["content-type": type, "content-length": "\(body.count)"])
      if let allow { head.headers.add(name: "allow", value: allow) }
      try await outbound.write(.head(head))
      if request.method != .HEAD { try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
    case .stream(let type, let write):
      try await outbound.write(
        .head(HTTPResponseHead(version: .http1_1, status: .ok, headers: ["content-type": type])))
      try await write(PieceWriter(outbound: outbound))
    }
    try await outbound.write(.end(nil))
  }

  /// Logs a change, or an attempt at one, with the process, user and group of the client.
  private func log(_ request: ControlRequest, of peer: PeerCredentials?, status: Int) {
    var metadata: Logger.Metadata = [
      "method": "\(request.method.rawValue)", "target": "\(quoted(request.target))", "status": "\(status)",
    ]
    if let peer {
      metadata["pid"] = "\(peer.pid)"
      metadata["uid"] = "\(peer.uid)"
      metadata["gid"] = "\(peer.gid)"
    }
    logger.notice("control request", metadata: metadata)
  }
}
