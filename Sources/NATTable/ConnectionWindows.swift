import NATMemory
public import NATWire

/// What a gateway knows of the windows of a TCP connection, and the rule by which it tells a segment of the connection
/// from one that merely has its addresses and ports (`tcp.window-tracking`; RFC 7857 section 2.3 asks for it of RST, RFC
/// 5961 describes the attack).
///
/// Numbers are compared as RFC 1982 section 3.2 says: of two numbers the later one is less than 2^31 ahead. For each
/// side it holds `end`, behind the highest number that the side has sent; `limit`, the highest acknowledgement and
/// window of the other side, behind which it may not send; and `window`, the largest window that it has announced, in
/// bytes.
///
/// 1. A segment with SYN passes. Without ACK it is remembered as the opening, in place of an earlier one. A SYN-ACK of
///    the other side that acknowledges the opening begins the connection: all numbers are taken from these two. Windows
///    are scaled if both carry the option (RFC 7323 section 1.3), but never those of the two themselves. Any other
///    segment with SYN teaches nothing: its receiver will challenge it (RFC 5961 section 4).
/// 2. A RST passes if it belongs to the opening: one of the other side acknowledges it, one of the opener itself has a
///    number of its own SYN.
/// 3. While nothing has begun, everything else passes but a RST of the side that did not open. Without an opening, in a
///    session picked up in the middle (`tcp.loose`), the first segment with ACK says where both sides are. Their scales
///    and windows are taken to be the largest, 14 and 65,535: nearly 1 GiB, back and forth.
/// 4. In a connection that has begun, a segment passes if its first number is not behind its sender's `limit`, and its
///    end is not more than the receiver's `window`, or 65,535 if that is larger, before its sender's `end`.
/// 5. What passes by rule 4, and is no RST, moves its sender's `end` up to its own end or the `limit`. With an
///    acknowledgement of not more than 65,535 beyond what the other side has sent, it moves `window` and the other
///    side's `limit` up. Nothing ever moves back.
///
/// The 65,535 bytes of slack forgive late duplicates under a small window, and first fragments, of which only what is in
/// them is counted.
public struct ConnectionWindows: BitwiseCopyable, Equatable, Sendable {
  // 48 bytes. All zeros is a connection of which nothing is known.

  /// What one side has sent, may send, and has announced.
  struct Sender: BitwiseCopyable, Equatable, Sendable {
    var end: UInt32 = 0
    var limit: UInt32 = 0
    var window: UInt32 = 0
    var scale: UInt8 = 0
  }

  /// A SYN without ACK that waits for its answer.
  struct Opening: BitwiseCopyable, Equatable, Sendable {
    /// Behind the SYN, and behind the data that came with it (RFC 7413): what its answer may acknowledge.
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

  /// Learns from a segment that was admitted, and passes.
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

  /// Earlier windows may have been larger than this segment's.
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
  /// Whether a sequence number comes after another (RFC 1982 section 3.2).
  fileprivate func isBehind(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) > 0 }
}
