import NATControl
import NIOCore
import NIOHTTP1

/// Passes whole requests on, one at a time, and refuses input that is too large, too slow or not HTTP.
///
/// A handler in the pipeline of each connection, between the HTTP decoder and the request handler. It sets a
/// timeout for each wait: for a request, for a client that does not read, and for the rest of a refused
/// request. It reads nothing while an answer is sent; input that was read before stays buffered.
final class RequestGate: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = ControlRequest
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// The request so far. The head is nil until it has arrived.
    case receiving(HTTPRequestHead?, ByteBuffer)
    case answering
    /// The last answer goes out, then the connection closes.
    case closing
  }

  private enum Arrival {
    case part(HTTPServerRequestPart)
    case fault(any Error)
  }

  private let limits: ControlLimits
  private let isWelcome: Bool
  /// Called with the status of a refusal.
  private let onRefusal: @Sendable (Int) -> Void
  private var state = State.receiving(nil, ByteBuffer())
  private var keepsAlive = false
  /// The version of the request. A client of HTTP/1.0 cannot read an answer in chunks.
  private var version = HTTPVersion.http1_1
  private var isInputClosed = false
  private var isReadPending = false
  /// Input that arrived after the request that is being answered, in its order.
  private var waiting = CircularBuffer<Arrival>()
  private var deadline: Scheduled<Void>?
  private var stall: Scheduled<Void>?

  /// - Parameter isWelcome: false if the limit of connections is reached.
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
    // Input after a refusal is discarded.
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
          // curl waits for it a second before a body above a megabyte; other clients wait without limit.
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
        "not an HTTP request (\(fault)); expected something like: GET /v1/status HTTP/1.1")
    case .none: context.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent {
      isInputClosed = true
      // The rest of the request will not come. An answer that has begun still goes out.
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

  /// Continues with the input that arrived while the answer went out.
  private func takeUp(_ context: ChannelHandlerContext) {
    while case .receiving = state, let arrival = waiting.popFirst() {
      switch arrival {
      case .part(let part): receive(context, part)
      case .fault(let error): receive(context, error)
      }
    }
    if case .answering = state {
      // The handler gathers requests until a read is complete. This one was complete before.
      context.fireChannelReadComplete()
      return
    }
    if isReadPending {
      isReadPending = false
      context.read()
    }
  }

  /// Closes the connection if the client does not read for `stallTime`.
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

  /// Refuses a connection and closes it at once: a flood of connections must not use up the file descriptors.
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

  /// Closes the connection so that the last answer arrives. Closing a TCP or Unix socket with unread input
  /// would discard the answer, so the input is read and discarded for `lingerTime`.
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
