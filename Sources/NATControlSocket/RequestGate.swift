import NATControl
import NIOCore
import NIOHTTP1

/// Lets whole requests through, one at a time, and refuses what is too large, too slow or no HTTP.
///
/// Stands behind the decoder and before the handler of requests, once in each connection. Every wait of the
/// connection is bounded here: for a request, for a reader, and for the rest of a request that was refused. While an
/// answer goes out nothing is read; what was read by then waits.
final class RequestGate: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = ControlRequest
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// The request so far; its head once that is there.
    case receiving(HTTPRequestHead?, ByteBuffer)
    case answering
    /// Only the end of the connection is left.
    case closing
  }

  private enum Arrival {
    case part(HTTPServerRequestPart)
    case fault(any Error)
  }

  private let limits: ControlLimits
  private let isWelcome: Bool
  /// A request was refused before any handler saw it.
  private let onRefusal: @Sendable (Int) -> Void
  private var state = State.receiving(nil, ByteBuffer())
  private var keepsAlive = false
  /// Of the request: an older client knows no answer in chunks.
  private var version = HTTPVersion.http1_1
  private var isInputClosed = false
  private var isReadPending = false
  /// What came behind the request that is being answered, in its order.
  private var waiting = CircularBuffer<Arrival>()
  private var deadline: Scheduled<Void>?
  private var stall: Scheduled<Void>?

  /// - Parameter isWelcome: false where there are as many connections as there may be.
  init(_ limits: ControlLimits, isWelcome: Bool, onRefusal: @escaping @Sendable (Int) -> Void) {
    self.limits = limits
    self.isWelcome = isWelcome
    self.onRefusal = onRefusal
  }

  func channelActive(context: ChannelHandlerContext) {
    if isWelcome { expectRequest(context) } else { turnAway(context) }
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    stall?.cancel()
    context.fireChannelInactive()
  }

  func read(context: ChannelHandlerContext) {
    if case .answering = state {
      isReadPending = true
    } else {
      context.read()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    if case .answering = state {
      waiting.append(.part(part))
    } else {
      receive(context, part)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .answering = state {
      waiting.append(.fault(error))
    } else {
      receive(context, error)
    }
  }

  private func receive(_ context: ChannelHandlerContext, _ part: HTTPServerRequestPart) {
    // What comes behind a refusal is thrown away.
    guard case .receiving(let head, var body) = state else { return }
    switch part {
    case .head(let head):
      keepsAlive = head.isKeepAlive && head.version == .http1_1
      version = head.version
      if head.uri.utf8.count > limits.targetBytes {
        let found = head.uri.utf8.count
        refuse(
          context, 414, "target-too-long",
          "a path and query of \(found) bytes; they may be \(limits.targetBytes) bytes long")
      } else if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
        length > limits.bodyBytes
      {
        refuseBody(context, found: "\(length)")
      } else {
        state = .receiving(head, ByteBuffer())
        if head.headers.contains(name: "expect") {
          // curl waits a second for it before a body of more than a megabyte; others wait for ever.
          context.writeAndFlush(
            wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .continue))), promise: nil)
        }
      }
    case .body(var part):
      body.writeBuffer(&part)
      if body.readableBytes > limits.bodyBytes {
        refuseBody(context, found: "more than \(limits.bodyBytes)")
      } else {
        state = .receiving(head, body)
      }
    case .end:
      guard let head else { return }
      deadline?.cancel()
      state = .answering
      context.fireChannelRead(
        wrapInboundOut(ControlRequest(method: head.method, target: head.uri, body: body)))
    }
  }

  private func receive(_ context: ChannelHandlerContext, _ error: any Error) {
    guard case .receiving = state else { return }
    switch error as? HTTPParserError {
    case .some(.headerOverflow):
      refuse(
        context, 431, "headers-too-large",
        "the header fields are too many or too large; at most \(limits.headerFields) fields and "
          + "\(limits.headerBytes) bytes")
    case .some(let fault):
      refuse(
        context, 400, "bad-request",
        "no HTTP request (\(fault)); it would begin like: GET /v1/status HTTP/1.1")
    case .none: context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent {
      isInputClosed = true
      // Half a request will never be a whole one; an answer that is under way still goes out.
      switch state {
      case .receiving, .closing: context.close(promise: nil)
      case .answering: break
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .answering = state else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    switch unwrapOutboundIn(data) {
    case .head(var head):
      head.version = version
      if !keepsAlive || isInputClosed { head.headers.replaceOrAdd(name: "connection", value: "close") }
      context.write(wrapOutboundOut(.head(head)), promise: promise)
    case .body: context.write(data, promise: promise)
    case .end:
      if keepsAlive && !isInputClosed {
        context.write(data, promise: promise)
        expectRequest(context)
        takeUp(context)
      } else {
        state = .closing
        context.writeAndFlush(data, promise: promise)
        finish(context)
      }
    }
  }

  /// Goes on with what came while the answer went out.
  private func takeUp(_ context: ChannelHandlerContext) {
    while case .receiving = state, let arrival = waiting.popFirst() {
      switch arrival {
      case .part(let part): receive(context, part)
      case .fault(let error): receive(context, error)
      }
    }
    if case .answering = state {
      // Whoever takes requests gathers them until a reading is complete, which this one long was.
      context.fireChannelReadComplete()
      return
    }
    if isReadPending {
      isReadPending = false
      context.read()
    }
  }

  /// A reader that does not keep up is waited for, but not for ever.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    stall?.cancel()
    stall = nil
    if !context.channel.isWritable {
      stall = schedule(context, limits.stallTime) { gate, context in context.close(promise: nil) }
    }
    context.fireChannelWritabilityChanged()
  }

  private func expectRequest(_ context: ChannelHandlerContext) {
    state = .receiving(nil, ByteBuffer())
    deadline?.cancel()
    deadline = schedule(context, limits.requestTime) { gate, context in
      gate.refuse(
        context, 408, "request-too-slow",
        "no whole request within \(gate.limits.requestTime); send it at once, or close the connection")
    }
  }

  /// Without lingering: a flood of connections must not use up the descriptors of the process.
  private func turnAway(_ context: ChannelHandlerContext) {
    refuse(
      context, 503, "too-many-connections",
      "\(limits.connections) connections are open; close one, or try again later")
    context.close(promise: nil)
  }

  private func refuseBody(_ context: ChannelHandlerContext, found: String) {
    refuse(
      context, 413, "body-too-large",
      "a body of \(found) bytes; it may be \(limits.bodyBytes) bytes long")
  }

  private func refuse(_ context: ChannelHandlerContext, _ status: Int, _ reason: String, _ text: String) {
    guard case .receiving = state else { return }
    state = .closing
    onRefusal(status)
    let answer = Refusal(ControlError(status: status, reason: reason, text))
    context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    finish(context)
  }

  /// Ends the connection so that the last answer still arrives: whoever is closed with unread bytes of its own
  /// on the way loses what it has not read.
  private func finish(_ context: ChannelHandlerContext) {
    deadline?.cancel()
    waiting.removeAll()
    context.close(mode: .output, promise: nil)
    if isReadPending {
      isReadPending = false
      context.read()
    }
    if isInputClosed {
      context.close(promise: nil)
    } else {
      deadline = schedule(context, limits.lingerTime) { gate, context in context.close(promise: nil) }
    }
  }

  private func schedule(
    _ context: ChannelHandlerContext, _ time: Duration,
    _ body: @escaping @Sendable (RequestGate, ChannelHandlerContext) -> Void
  ) -> Scheduled<Void> {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    return context.eventLoop.scheduleTask(in: TimeAmount(time)) {
      let (gate, context) = bound.value
      body(gate, context)
    }
  }
}

@available(*, unavailable)
extension RequestGate: Sendable {}
