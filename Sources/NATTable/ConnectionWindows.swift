import NATMemory
public import NATWire

/// The windows of a TCP connection. They tell whether a segment belongs to the connection, or only has its
/// addresses and ports (`tcp.window-tracking`; RFC 7857 section 2.3 asks for it of RST, RFC 5961 describes
/// the attack).
///
/// Sequence numbers are compared modulo 2^32 (RFC 1982 section 3.2). For each side, `end` is the number after
/// the highest one sent; `limit` is the highest acknowledgement plus window of the other side, the end of
/// what the side may send; `window` is the largest window that the side has announced, in bytes.
///
/// 1. Every SYN passes. A SYN without ACK becomes the opening and replaces an earlier one. A SYN-ACK of the
///    other side that acknowledges the opening begins the connection: both sides take their numbers from
///    these two segments. If both carry the window scale option, later windows are scaled (RFC 7323 section
///    1.3). No other SYN changes anything: its receiver will challenge it (RFC 5961 section 4).
/// 2. A RST passes if it belongs to the opening: the other side's if it acknowledges the opening, the
///    opener's if its sequence number lies in the opening or just after it.
/// 3. Before the connection has begun, everything else passes, except a RST of the side that did not send the
///    opening. Without an opening (`tcp.loose`), the first segment with ACK gives the numbers of both sides.
///    Both windows then count as the largest possible: 65,535 with scale 14, nearly 1 GiB.
/// 4. After the connection has begun, a segment passes if it begins at or before its sender's `limit`, and
///    ends at most the receiver's `window`, or 65,535 if that is larger, before its sender's `end`.
/// 5. A segment other than RST that passes by rule 4 raises its sender's `end`, at most to the `limit`. If it
///    acknowledges at most 65,535 more than the other side has sent, it also raises its sender's `window` and
///    the other side's `limit`. No value ever falls.
///
/// The 65,535 bytes of slack let late duplicates under a small window pass, and first fragments, which count
/// only the data that they contain.
public struct ConnectionWindows: BitwiseCopyable, Equatable, Sendable {
  // 48 bytes. All zeros: nothing is known yet.

  struct Sender: BitwiseCopyable, Equatable, Sendable {
    var end: UInt32 = 0
    var limit: UInt32 = 0
    var window: UInt32 = 0
    var scale: UInt8 = 0
  }

  /// A SYN without ACK that waits for its SYN-ACK.
  struct Opening: BitwiseCopyable, Equatable, Sendable {
    /// The numbers that a SYN-ACK may acknowledge: from after the SYN to after its data (RFC 7413).
    var first: UInt32 = 0
    var end: UInt32 = 0
    var window: UInt16 = 0
    /// The shift plus one; 0 without the option.
    var scale: UInt8 = 0
    var sender = Opener.none
  }

  enum Opener: UInt8, BitwiseCopyable, Sendable {
    case none, inside, outside

    init(_ side: Side) { self = side == .inside ? .inside : .outside }
  }

  var inside = Sender()
  var outside = Sender()
  var opening = Opening()
  var hasBegun = false

  public init() {}

  private static let slack: UInt32 = 65535
  private static let largestWindow = UInt32(UInt16.max) << UInt32(TCP.maximumWindowScale)

  private subscript(side: Side) -> Sender {
    get { side == .inside ? inside : outside }
    set { if side == .inside { inside = newValue } else { outside = newValue } }
  }

  /// Whether a segment of `side` may pass.
  public func admits(_ segment: TCPSegment, from side: Side) -> Bool {
    if segment.flags.contains(.syn) { return true }
    if segment.flags.contains(.rst), opening.sender != .none {
      if belongsToOpening(segment, from: side) { return true }
      if !hasBegun { return opening.sender == Opener(side) }
    }
    guard hasBegun else { return true }
    let sender = self[side]
    let reach = max(self[side.other].window, ConnectionWindows.slack)
    return !segment.sequence.isBehind(sender.limit) && !(sender.end &- reach).isBehind(segment.end)
  }

  /// Updates the windows by a segment that passes.
  public mutating func learn(_ segment: TCPSegment, from side: Side) {
    let flags = segment.flags
    if flags.contains(.rst) { return }
    if flags.contains(.syn) {
      if !flags.contains(.ack) {
        open(segment, from: side)
      } else if opening.sender == Opener(side.other), acknowledgesOpening(segment) {
        begin(segment, from: side)
      }
    } else if hasBegun {
      advance(segment, from: side)
    } else if opening.sender == .none, flags.contains(.ack) {
      pickUp(segment, from: side)
    }
  }

  private func belongsToOpening(_ reset: TCPSegment, from side: Side) -> Bool {
    if opening.sender == Opener(side) {
      return !(opening.first &- 1).isBehind(reset.sequence) && !reset.sequence.isBehind(opening.end)
    }
    return reset.flags.contains(.ack) && acknowledgesOpening(reset)
  }

  private func acknowledgesOpening(_ segment: TCPSegment) -> Bool {
    !opening.first.isBehind(segment.acknowledgement) && !segment.acknowledgement.isBehind(opening.end)
  }

  private mutating func open(_ segment: TCPSegment, from side: Side) {
    opening = Opening(
      first: segment.sequence &+ 1, end: segment.end, window: segment.window,
      scale: segment.windowScale.map { $0 + 1 } ?? 0, sender: Opener(side))
  }

  private mutating func begin(_ answer: TCPSegment, from side: Side) {
    let isScaled = opening.scale > 0 && answer.windowScale != nil
    self[side.other] = Sender(
      end: opening.end, limit: answer.acknowledgement &+ UInt32(answer.window),
      window: UInt32(opening.window),
      scale: isScaled ? opening.scale - 1 : 0)
    self[side] = Sender(
      end: answer.end, limit: answer.sequence &+ 1 &+ UInt32(opening.window), window: UInt32(answer.window),
      scale: isScaled ? answer.windowScale ?? 0 : 0)
    opening = Opening()
    hasBegun = true
  }

  /// Assumes the largest windows: earlier ones may have been larger than this segment's.
  private mutating func pickUp(_ segment: TCPSegment, from side: Side) {
    func sender(at end: UInt32) -> Sender {
      let largest = ConnectionWindows.largestWindow
      return Sender(end: end, limit: end &+ largest, window: largest, scale: TCP.maximumWindowScale)
    }
    self[side] = sender(at: segment.end)
    self[side.other] = sender(at: segment.acknowledgement)
    hasBegun = true
  }

  private mutating func advance(_ segment: TCPSegment, from side: Side) {
    var sender = self[side]
    var other = self[side.other]
    let end = segment.end.isBehind(sender.limit) ? sender.limit : segment.end
    if end.isBehind(sender.end) { sender.end = end }
    if segment.flags.contains(.ack),
      !segment.acknowledgement.isBehind(other.end &+ ConnectionWindows.slack)
    {
      let window = UInt32(segment.window) << UInt32(sender.scale)
      let limit = segment.acknowledgement &+ window
      sender.window = max(sender.window, window)
      if limit.isBehind(other.limit) { other.limit = limit }
    }
    self[side] = sender
    self[side.other] = other
  }
}

extension UInt32 {
  /// Whether this sequence number comes after the other (RFC 1982 section 3.2).
  fileprivate func isBehind(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) > 0 }
}
