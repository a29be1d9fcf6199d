/// The bytes that a fuzzer made up, read one after the other; behind their end stand zeros.
public struct Input {
  private let bytes: [UInt8]
  private var next = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Copies what libFuzzer gives.
  public init(_ data: UnsafePointer<UInt8>?, _ count: Int) {
    // Safety: libFuzzer gives `count` bytes that live through the call.
    self.init(unsafe Array(UnsafeBufferPointer(start: data, count: count)))
  }

  public var isAtEnd: Bool { next >= bytes.count }

  public mutating func byte() -> UInt8 {
    guard next < bytes.count else { return 0 }
    next += 1
    return bytes[next - 1]
  }

  /// The higher byte first.
  public mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

  /// As many as there are, at most `count`.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, next + count)
    defer { next = end }
    return Array(bytes[min(next, end)..<end])
  }

  /// All that is left.
  public mutating func rest() -> [UInt8] { bytes(bytes.count) }

  public mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int(byte()) % elements.count]
  }
}

/// Ends the process, and so the fuzzer, where something is not as it must be. Says so in release builds too.
@inline(__always)
public func require(_ isTrue: Bool, _ message: @autoclosure () -> String) {
  if !isTrue { fatalError(message()) }
}
