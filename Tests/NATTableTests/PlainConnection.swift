import NATWire

@testable import NATTable

/// A TCP connection followed as the fine print says it, with no thought of fitting into a byte.
struct PlainConnection: Equatable {
  enum Clock { case none, established, transitory, reopened }

  var phase: SessionState.Phase
  /// Who sent the opening SYN; meaningful in `synSent`.
  var opener = Side.inside
  /// Who has sent a FIN since the connection was established.
  var insideFinished = false
  var outsideFinished = false
  /// Who has sent a SYN since the connection was closed or reset.
  var insideReopens = false
  var outsideReopens = false
  var hadBeenEstablished = false

  static func opened(by side: Side) -> PlainConnection { PlainConnection(phase: .synSent, opener: side) }
  static var pickedUp: PlainConnection { PlainConnection(phase: .established, hadBeenEstablished: true) }

  mutating func establish() {
    self = .pickedUp
  }

  mutating func reset() {
    self = PlainConnection(phase: .reset, hadBeenEstablished: hadBeenEstablished)
  }

  mutating func finish(_ side: Side) {
    if side == .inside { insideFinished = true } else { outsideFinished = true }
    phase = insideFinished && outsideFinished ? .closed : .halfClosed
  }

  mutating func segment(_ flags: TCPFlags, from side: Side, resetIsFinal: Bool) -> Clock {
    let isReset = flags.contains(.rst)
    switch phase {
    case .synSent:
      if isReset {
        reset()
        return .transitory
      }
      if flags.contains(.syn), side != opener {
        establish()
        return .established
      }
      return .none

    case .established, .halfClosed:
      if isReset {
        reset()
        return .transitory
      }
      if flags.contains(.fin) { finish(side) }
      return phase == .closed ? .transitory : .established

    case .closed, .reset:
      if isReset { return .none }
      if flags.contains(.syn) {
        if side == .inside { insideReopens = true } else { outsideReopens = true }
        guard insideReopens && outsideReopens else { return .none }
        establish()
        return .reopened
      }
      guard phase == .reset, hadBeenEstablished, !resetIsFinal else { return .none }
      establish()
      return .established

    case .active, .free:
      return .none
    }
  }
}
