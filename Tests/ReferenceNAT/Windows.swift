// `tcp.window-tracking`: the rules of the page "Window tracking", one function a rule.

/// The numbers of a TCP segment.
struct Segment {
  let flags: TCPFlags
  let sequence: UInt32
  let acknowledgement: UInt32
  let window: UInt16
  /// The number after the last one. Data, SYN and FIN count; of a first fragment only what is in it.
  let end: UInt32
  /// The shift of a SYN's window scale option; nil without the option.
  var scale: UInt8?

  init(_ packet: Packet) {
    let start = packet.headerLength
    let bytes = packet.bytes
    flags = packet.tcpFlags
    sequence = UInt32(word(bytes, start + 4)) << 16 | UInt32(word(bytes, start + 6))
    acknowledgement = UInt32(word(bytes, start + 8)) << 16 | UInt32(word(bytes, start + 10))
    window = word(bytes, start + 14)
    let data = packet.payload.count - packet.tcpHeaderLength
    end =
      sequence &+ UInt32(data) &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    if flags.contains(.syn) { scale = Segment.scale(in: packet) }
  }

  /// The first option of kind 3 and length 3. A shift above 14 counts as 14.
  private static func scale(in packet: Packet) -> UInt8? {
    for option in tcpOptions(packet) where option.kind == 3 && option.length == 3 {
      return min(14, packet.bytes[option.place + 2])
    }
    return nil
  }
}

/// What is known of the windows of one connection.
struct Windows {
  /// One side of the connection.
  struct Side {
    /// After the highest number that the side has sent.
    var end: UInt32
    /// After the highest number that the side may send.
    var limit: UInt32
    /// The largest window that the side has announced, in bytes.
    var window: UInt32
    /// The shift of the side's windows.
    var scale: UInt8
  }

  /// The last SYN without ACK that nobody has answered.
  struct Opening {
    let direction: Direction
    let segment: Segment

    /// Whether the other side acknowledges the SYN, with or without the data that came with it.
    func isAcknowledged(by answer: Segment) -> Bool {
      let afterSYN = segment.sequence &+ 1
      return !isLater(afterSYN, than: answer.acknowledgement)
        && !isLater(answer.acknowledgement, than: segment.end)
    }
  }

  var opening: Opening?
  /// Both sides, once the connection has begun.
  var sides: [Direction: Side] = [:]
  var hasBegun: Bool { !sides.isEmpty }

  static let slack: UInt32 = 65535
}

/// RFC 1982 section 3.2: the later one of two numbers is less than 2^31 ahead.
private func isLater(_ number: UInt32, than other: UInt32) -> Bool {
  let ahead = number &- other
  return ahead > 0 && ahead < 1 << 31
}

// MARK: Which segments pass

extension Windows {
  func admits(_ segment: Segment, _ direction: Direction) -> Bool {
    // Rule 1.
    if segment.flags.contains(.syn) { return true }
    if segment.flags.contains(.rst), let opening {
      if resetBelongs(to: opening, segment, direction) { return true }
      if !hasBegun { return opening.direction == direction }
    }
    // Rule 3.
    guard let sender = sides[direction], let receiver = sides[direction.other] else { return true }
    return isInWindow(segment, sender, receiver)
  }

  /// Rule 2. A RST of the other side acknowledges the SYN; one of the opener has a number from the SYN's to the end
  /// of its data.
  private func resetBelongs(to opening: Opening, _ reset: Segment, _ direction: Direction) -> Bool {
    if opening.direction == direction {
      return !isLater(opening.segment.sequence, than: reset.sequence)
        && !isLater(reset.sequence, than: opening.segment.end)
    }
    return reset.flags.contains(.ack) && opening.isAcknowledged(by: reset)
  }

  /// Rule 4.
  private func isInWindow(_ segment: Segment, _ sender: Side, _ receiver: Side) -> Bool {
    let oldest = sender.end &- max(receiver.window, Windows.slack)
    return !isLater(segment.sequence, than: sender.limit) && !isLater(oldest, than: segment.end)
  }
}

// MARK: What is learned from a segment that passes

extension Windows {
  mutating func learn(_ segment: Segment, _ direction: Direction) {
    let flags = segment.flags
    if flags.contains(.rst) { return }
    if flags.contains(.syn) {
      if !flags.contains(.ack) {
        opening = Opening(direction: direction, segment: segment)
      } else if let opening, opening.direction == direction.other, opening.isAcknowledged(by: segment) {
        begin(opening, answer: segment)
      }
    } else if hasBegun {
      advance(segment, direction)
    } else if opening == nil && flags.contains(.ack) {
      pickUp(segment, direction)
    }
  }

  /// Rule 1. Windows are scaled if both segments carry the option; their own windows are not.
  private mutating func begin(_ opening: Opening, answer: Segment) {
    let syn = opening.segment
    let isScaled = syn.scale != nil && answer.scale != nil
    sides[opening.direction] = Side(
      end: syn.end, limit: answer.acknowledgement &+ UInt32(answer.window), window: UInt32(syn.window),
      scale: isScaled ? syn.scale ?? 0 : 0)
    sides[opening.direction.other] = Side(
      end: answer.end, limit: answer.sequence &+ 1 &+ UInt32(syn.window), window: UInt32(answer.window),
      scale: isScaled ? answer.scale ?? 0 : 0)
    self.opening = nil
  }

  /// Rule 3, `tcp.loose`. Windows and shifts are taken to be the largest.
  private mutating func pickUp(_ segment: Segment, _ direction: Direction) {
    let largest = UInt32(65535) << 14
    func side(at end: UInt32) -> Side {
      Side(end: end, limit: end &+ largest, window: largest, scale: 14)
    }
    sides[direction] = side(at: segment.end)
    sides[direction.other] = side(at: segment.acknowledgement)
  }

  /// Rule 5. Nothing ever moves back.
  private mutating func advance(_ segment: Segment, _ direction: Direction) {
    guard var sender = sides[direction], var other = sides[direction.other] else { return }
    let end = isLater(segment.end, than: sender.limit) ? sender.limit : segment.end
    if isLater(end, than: sender.end) { sender.end = end }
    let isPlausible = !isLater(segment.acknowledgement, than: other.end &+ Windows.slack)
    if segment.flags.contains(.ack) && isPlausible {
      let window = UInt32(segment.window) << UInt32(sender.scale)
      sender.window = max(sender.window, window)
      let limit = segment.acknowledgement &+ window
      if isLater(limit, than: other.limit) { other.limit = limit }
    }
    sides[direction] = sender
    sides[direction.other] = other
  }
}

// MARK: Asking

extension ReferenceNAT {
  /// Whether the packet may pass on its session. Without a session there is no window.
  func isInWindow(_ packet: Packet, on session: Session?, _ direction: Direction) -> Bool {
    guard settings.windowTracking, packet.flow == .tcp, let session else { return true }
    return session.windows.admits(Segment(packet), direction)
  }
}
