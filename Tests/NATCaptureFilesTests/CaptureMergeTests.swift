import NATCaptureFiles
import NATWire
import TestSupport
import Testing

@Suite("Merging captures")
struct CaptureMergeTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Each record holds its stamp's seconds as its only byte.
  private func capture(_ seconds: [UInt32], as name: String, damaged: Bool = false) throws -> String {
    var file = CaptureBytes.pcap()
    for second in seconds { file.record(second, 0, [UInt8(second)]) }
    if damaged { file.add(99, 0) }
    return try folder.write(file.bytes, as: name)
  }

  private func merged(inside: String?, outside: String?) throws -> (
    sequence: [String], damages: [CaptureDamage]
  ) {
    var merge = CaptureMerge(
      inside: try inside.map { try CaptureReader(path: $0) },
      outside: try outside.map { try CaptureReader(path: $0) })
    var sequence: [String] = []
    while let (side, record) = merge.next() {
      // Safety: read before the next call.
      sequence.append("\(side == .inside ? "i" : "o")\(unsafe record.bytes[0])")
    }
    let again = merge.next()
    #expect(again == nil)
    return (sequence, merge.damages)
  }

  @Test(
    "each file in its own order, the smaller stamp first, inside first among equals",
    arguments: [
      ([1, 3, 5], [2, 3, 4], "i1 o2 i3 o3 o4 i5"),
      ([5, 1, 6], [2, 7], "o2 i5 i1 i6 o7"),
      ([], [2, 1], "o2 o1"),
      ([2, 2, 2], [2, 2], "i2 i2 i2 o2 o2"),
      ([], [], ""),
    ] as [([UInt32], [UInt32], String)])
  func order(inside: [UInt32], outside: [UInt32], expected: String) throws {
    let (sequence, damages) = try merged(
      inside: capture(inside, as: "inside"), outside: capture(outside, as: "outside"))
    #expect(sequence.joined(separator: " ") == expected)
    #expect(damages.isEmpty)
  }

  @Test("one side alone")
  func oneSide() throws {
    let path = try capture([1, 2], as: "one")
    #expect(try merged(inside: path, outside: nil).sequence == ["i1", "i2"])
    #expect(try merged(inside: nil, outside: path).sequence == ["o1", "o2"])
    #expect(try merged(inside: nil, outside: nil).sequence == [])
  }

  @Test("damage ends its own file only")
  func damage() throws {
    let inside = try capture([1, 5], as: "inside", damaged: true)
    let outside = try capture([2, 6, 7], as: "outside")
    let (sequence, damages) = try merged(inside: inside, outside: outside)
    #expect(sequence == ["i1", "o2", "i5", "o6", "o7"])
    #expect(damages.map(\.path) == [inside])
    #expect(damages.map(\.offset) == [24 + 2 * 17])
    let other = try capture([9], as: "other", damaged: true)
    #expect(try merged(inside: other, outside: inside).damages.map(\.path) == [inside, other])
  }

  @Test("link types and progress of both files")
  func progress() throws {
    let raw = try folder.write(CaptureBytes.pcap(link: 101).bytes, as: "raw")
    var merge = CaptureMerge(
      inside: try CaptureReader(path: capture([1, 2], as: "inside")), outside: try CaptureReader(path: raw))
    #expect(merge.link(of: .inside) == .ethernet)
    #expect(merge.link(of: .outside) == .rawIP)
    #expect(merge.progress == (48, 24 + 34 + 24))
    while merge.next() != nil {}
    #expect(merge.progress == (82, 82))
    let alone = CaptureMerge(inside: nil, outside: nil)
    #expect(alone.link(of: .inside) == nil)
  }
}
