/// A small source of pseudo-random numbers (SplitMix64): the same seed gives the same conversation everywhere.
struct Dice {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func word() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(word() % UInt64(range.count))
  }

  mutating func port(_ range: ClosedRange<UInt16> = 0...65535) -> UInt16 {
    UInt16(number(Int(range.lowerBound)...Int(range.upperBound)))
  }

  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: word()) }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

  mutating func percent(_ chance: Int) -> Bool { number(0...99) < chance }

  /// - Precondition: `choices` is not empty.
  mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[number(0...choices.count - 1)] }

  /// Picks by weight.
  mutating func pick<Choice>(weighted choices: [(weight: Int, choice: Choice)]) -> Choice {
    var left = number(0...choices.reduce(0) { $0 + $1.weight } - 1)
    for (weight, choice) in choices {
      if left < weight { return choice }
      left -= weight
    }
    return choices[0].choice
  }
}
