import NATMemory
import NATTable
public import NATWire

/// `tcp.window-tracking`: a segment outside the window of its session is dropped, and changes nothing.
extension Translator {
  /// Checks and follows a packet of the fast path; no later step refuses it.
  /// - Returns: whether it may pass.
  @inline(never)
  public func followWindow(_ hit: Hit, _ packet: Packet, from side: Side) -> Bool {
    guard isInWindow(hit.session, packet, from: side) else { return false }
    learnWindow(hit.session, packet, from: side)
    return true
  }

  /// Whether a packet may pass on the sessions that `resolve` found.
  public func isInWindow(_ resolution: Resolution, _ packet: Packet) -> Bool {
    isInWindow(resolution.sender?.session, packet, from: .inside)
      && isInWindow(resolution.receiver?.session, packet, from: .outside)
  }

  /// Whether a packet may pass on its session. A packet without a session may.
  private func isInWindow(_ session: SessionIndex?, _ packet: Packet, from side: Side) -> Bool {
    guard let windows = shard.windows, let session, packet.kind == .tcp else { return true }
    return windows[session.rawValue].admits(packet.segment, from: side)
  }

  /// Learns from a packet that passes on its session.
  func learnWindow(_ session: SessionIndex, _ packet: Packet, from side: Side) {
    guard let windows = shard.windows, packet.kind == .tcp else { return }
    var connection = windows[session.rawValue]
    connection.learn(packet.segment, from: side)
    windows[session.rawValue] = connection
  }
}
