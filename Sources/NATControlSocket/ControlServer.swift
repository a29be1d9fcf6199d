public import Logging
public import NATControl
import NIOCore
import NIOHTTP1
import NIOPosix

/// Serves the requests of the control socket, and the metrics on a TCP port if one is configured.
///
/// The protocol is HTTP/1.1 with JSON. A client costs no more than `ControlLimits` allows, whatever it sends
/// or leaves unread. The packet path never waits for a client.
public struct ControlServer: Sendable {
  /// Where the server listens, and who may connect.
  public struct Settings: Sendable {
    public var socketPath: String
    /// Permission bits of the socket.
    public var mode: UInt32
    /// A name or a number.
    public var group: String
    /// The address and port of the metrics; nil for none. The kernel chooses the port for 0.
    public var metrics: (address: String, port: UInt16)?
    public var limits: ControlLimits

    public init(
      socketPath: String, mode: UInt32 = 0o660, group: String = "portico",
      metrics: (address: String, port: UInt16)? = nil, limits: ControlLimits = ControlLimits()
    ) {
      self.socketPath = socketPath
      self.mode = mode
      self.group = group
      self.metrics = metrics
      self.limits = limits
    }
  }

  private let settings: Settings
  let routes: Routes
  let logger: Logger

  public init(_ settings: Settings, operations: any GatewayOperations, logger: Logger) {
    self.settings = settings
    self.logger = logger
    routes = Routes(
      operations: operations, limits: settings.limits, counts: RequestCounts(),
      tables: Slots(settings.limits.tables), eventReaders: Slots(settings.limits.eventReaders))
  }

  /// Listens and serves until the task is cancelled; then the socket file is gone.
  /// - Parameter onListening: called once when both listeners are open, with the port of the metrics, if any.
  /// - Throws: `ControlSocketFault` if it cannot listen.
  public func run(onListening: @Sendable (_ metricsPort: Int?) -> Void = { _ in }) async throws {
    // One thread serves all clients. The other processors are for the packet path.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      try await serve(on: group, onListening)
    } catch {
      try? await group.shutdownGracefully()
      throw error
    }
    try await group.shutdownGracefully()
  }

  private func serve(on group: MultiThreadedEventLoopGroup, _ onListening: (Int?) -> Void) async throws {
    var file = try SocketFile.open(
      path: settings.socketPath, mode: settings.mode, group: settings.group,
      backlog: ControlServer.backlog)
    for warning in file.warnings { logger.warning("\(warning)") }
    let control = try await bootstrap(group).bind(
      file.takeDescriptor(), serverBackPressureStrategy: acceptance,
      childChannelInitializer: initializer(Slots(settings.limits.connections)))
    let metrics: NIOAsyncChannel<Connection, Never>?
    do {
      metrics = try await listenForMetrics(on: group)
    } catch {
      try? await control.channel.close()
      throw error
    }
    let port = metrics?.channel.localAddress?.port
    logger.notice(
      "control socket open",
      metadata: [
        "socket": "\(file.path)",
        "metrics": "\(settings.metrics.map { "\($0.address):\(port ?? 0)" } ?? "off")",
      ])
    onListening(port)
    // Cancellation ends a listener without an error.
    await withTaskGroup(of: Void.self) { listeners in
      listeners.addTask { await accept(control, serving: ControlAPI.routes) }
      // A client that can reach that port sees counters, and nothing else.
      if let metrics {
        listeners.addTask { await accept(metrics, serving: ControlAPI.routes.filter(\.isOnMetricsPort)) }
      }
    }
    _ = consume file
    logger.notice("control socket closed")
  }

  private func listenForMetrics(
    on group: MultiThreadedEventLoopGroup
  ) async throws -> NIOAsyncChannel<Connection, Never>? {
    guard let (address, port) = settings.metrics else { return nil }
    do {
      return try await bootstrap(group).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(
          host: address, port: Int(port),
          childChannelInitializer: initializer(Slots(settings.limits.connections)))
    } catch {
      throw ControlSocketFault(
        kind: (error as? IOError)?.errnoCode == 98 ? .inUse : .cannotListen,
        description: "metrics.listen \(address):\(port): cannot listen there: \(error); "
          + "give it an address of this machine and a port that is free")
    }
  }

  private func bootstrap(_ group: MultiThreadedEventLoopGroup) -> ServerBootstrap {
    ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: ControlServer.backlog)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
  }

  /// Connections that wait to be accepted. The kernel refuses more of them.
  private static let backlog: Int32 = 512

  /// Connections beyond the limit are refused at once, without a task.
  private var acceptance: NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark {
    .init(lowWatermark: 1, highWatermark: settings.limits.connections)
  }

  /// A connection that delivers whole requests, and the client at its other end.
  struct Connection: Sendable {
    let channel: NIOAsyncChannel<ControlRequest, HTTPServerResponsePart>
    let peer: PeerCredentials?
    /// Its place within the limit; nil if it is refused.
    let slot: Slots.Slot?
  }

  private func initializer(_ slots: Slots) -> @Sendable (any Channel) -> EventLoopFuture<Connection> {
    { channel in connection(on: channel, slots.take()) }
  }

  private func connection(on channel: any Channel, _ slot: Slots.Slot?) -> EventLoopFuture<Connection> {
    var decoder = NIOHTTPDecoderLimitConfiguration()
    decoder.maxHeaderFieldSize = settings.limits.headerBytes
    decoder.maxHeaderListSize = settings.limits.headerBytes
    decoder.maxHeaderFieldCount = settings.limits.headerFields
    let (limits, counts) = (settings.limits, routes.counts)
    return channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.configureHTTPServerPipeline(
        position: .last, withPipeliningAssistance: false, withServerUpgrade: nil, withErrorHandling: false,
        withOutboundHeaderValidation: true, withEncoderConfiguration: .init(),
        withDecoderLimitConfiguration: decoder)
      try channel.pipeline.syncOperations.addHandler(
        RequestGate(limits, isWelcome: slot != nil) { counts.count("other", status: $0) })
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: channel,
        configuration: .init(
          inboundType: ControlRequest.self, outboundType: HTTPServerResponsePart.self))
    }.flatMap { wrapped in
      PeerCredentials.of(channel).map { Connection(channel: wrapped, peer: $0, slot: slot) }
    }
  }

  private func accept(_ listener: NIOAsyncChannel<Connection, Never>, serving served: [Route]) async {
    await withDiscardingTaskGroup { connections in
      do {
        try await listener.executeThenClose { incoming in
          for try await connection in incoming {
            connections.addTask { await serve(connection, serving: served) }
          }
        }
      } catch {
        if !Task.isCancelled { logger.error("control socket: cannot accept: \(error)") }
      }
      connections.cancelAll()
    }
  }
}
