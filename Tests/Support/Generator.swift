/// SplitMix64: test inputs that a printed seed repeats. It is not the gateway's generator.
public struct Generator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  /// A number below `bound`. The bias does not matter to a test.
  public mutating func below(_ bound: Int) -> Int { Int(next() >> 33) % bound }

  public mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  public mutating func port(_ range: ClosedRange<UInt16> = 0...65535) -> UInt16 {
    UInt16(number(Int(range.lowerBound)...Int(range.upperBound)))
  }

  public mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }

  public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

  public mutating func percent(_ chance: Int) -> Bool { number(0...99) < chance }

  /// - Precondition: `elements` is not empty.
  public mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[number(0...elements.count - 1)]
  }

  /// Picks by weight.
  public mutating func pick<Choice>(weighted choices: [(weight: Int, choice: Choice)]) -> Choice {
    var left = number(0...choices.reduce(0) { $0 + $1.weight } - 1)
    for (weight, choice) in choices {
      if left < weight { return choice }
      left -= weight
    }
    return choices[0].choice
  }
}
