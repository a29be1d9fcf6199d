import NIOCore

/// Who is at the other end of a Unix socket, as the kernel knows it (`struct ucred`).
struct PeerCredentials: Sendable {
  var pid: Int32
  var uid: UInt32
  var gid: UInt32

  /// Nil where the kernel does not say so: TCP.
  static func of(_ channel: any Channel) -> EventLoopFuture<PeerCredentials?> {
    guard let provider = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeSucceededFuture(nil)
    }
    let answer: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
      level: .socket, name: NIOBSDSocket.Option(rawValue: peerCredentials))
    return answer.map { .some($0) }.flatMapErrorThrowing { _ in nil }
  }

  /// SO_PEERCRED, which is no part of the C library's plain interface.
  private static let peerCredentials: Int32 = 17
}
