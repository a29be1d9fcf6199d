import Foundation
import NATControl
import Testing

@Suite("Seconds as decimals")
struct SecondsTests {
  @Test(
    "written without rounding and without needless digits",
    arguments: [
      (0, "0"), (1, "0.000000001"), (200_000_000, "0.2"), (12_500_000_000, "12.5"),
      (3_600_000_000_000, "3600"),
      (7_439_800_000_000, "7439.8"), (1_000_000_010, "1.00000001"), (999_999_999, "0.999999999"),
      (UInt64.max, "18446744073.709551615"),
    ] as [(UInt64, String)])
  func text(nanoseconds: UInt64, text: String) throws {
    let seconds = Seconds(nanoseconds: nanoseconds)
    #expect(seconds.description == text)
    #expect(Seconds(text) == seconds)
    #expect(try JSONDecoder().decode([Seconds].self, from: Data("[\(text)]".utf8)) == [seconds])
    #expect(String(decoding: try JSONEncoder().encode([seconds]), as: UTF8.self) == "[\(text)]")
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", ".", "1.", ".5", "-1", "+1", "1.0000000001", "1e3", "18446744073.709551616", "99999999999", "a",
    ])
  func refused(text: String) {
    #expect(Seconds(text) == nil)
  }

  @Test("a negative number in JSON is refused")
  func negative() {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([Seconds].self, from: Data("[-1.5]".utf8))
    }
  }
}
