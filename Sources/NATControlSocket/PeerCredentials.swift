import NIOCore

/// The process, user and group at the other end of a Unix socket (`struct ucred`).
struct PeerCredentials: Sendable {
  var pid: Int32
  var uid: UInt32
  var gid: UInt32

  /// Nil for TCP.
  static func of(_ channel: any Channel) -> EventLoopFuture<PeerCredentials?> {
    guard let provider = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeSucceededFuture(nil)
    }
    let answer: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: peerCredentials))
    return answer.map { .some($0) }.flatMapErrorThrowing { _ in nil }
  }

  /// SO_PEERCRED, which the C library does not import into Swift.
  private static let peerCredentials: Int32 = 17
}
