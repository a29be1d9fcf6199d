import Foundation
import NATCaptureFiles
import NATWire
import TestSupport
import Testing

@Suite("Damaged captures")
struct CaptureDamageTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test(
    "a pcap file cut at any byte: the records before are read, the offset is exact", arguments: [false, true])
  func cutAnywhere(isBigEndian: Bool) throws {
    var file = CaptureBytes.pcap(isBigEndian: isBigEndian)
    var starts: [Int] = []
    for index in 0..<4 {
      starts.append(file.bytes.count)
      file.record(UInt32(index), 0, [UInt8](repeating: UInt8(index), count: index * 5))
    }
    for length in 24...file.bytes.count {
      let path = try folder.write(Array(file.bytes.prefix(length)))
      let (records, damage) = try readEverything(path)
      let isBoundary = length == file.bytes.count || starts.contains(length)
      let whole = length == file.bytes.count ? 4 : starts.count { $0 <= length } - 1
      let expected = isBoundary && length != file.bytes.count ? starts.firstIndex(of: length)! : whole
      #expect(records.count == expected, "cut at \(length)")
      if isBoundary {
        #expect(damage == nil, "cut at \(length)")
        continue
      }
      let start = starts.last { $0 < length }!
      #expect(damage?.kind == .truncated, "cut at \(length)")
      #expect(damage?.offset == UInt64(start), "cut at \(length)")
      #expect(damage?.recordsBefore == UInt64(expected))
    }
  }

  @Test("a cut record header and a cut record body, in words")
  func words() throws {
    var file = CaptureBytes.pcap()
    file.record(1, 0, [1, 2, 3])
    file.record(2, 0, [1, 2, 3, 4])
    let body = try folder.write(file.bytes.dropLast(), as: "body")
    #expect(
      try readEverything(body).damage?.description
        == "\(body): the record at byte offset 43 (1 record before it) is cut off: truncated dump file; "
        + "tried to read 4 captured bytes, only got 3; expected a whole record")
    let header = try folder.write(file.bytes.dropLast(10), as: "header")
    #expect(
      try readEverything(header).damage?.description
        == "\(header): the record at byte offset 43 (1 record before it) is cut off: truncated dump file; "
        + "tried to read 16 header bytes, only got 10; expected a whole record")
  }

  @Test(
    "an absurd captured length is damage, not the end of the memory", arguments: [262_145, .max] as [UInt32])
  func absurdLength(length: UInt32) throws {
    var file = CaptureBytes.pcap()
    for _ in 0..<3 { file.record(1, 0, [1, 2, 3]) }
    let start = file.bytes.count
    file.add(2, 0, length, length)
    file.bytes += [UInt8](repeating: 0, count: 1000)
    let path = try folder.write(file.bytes)
    let (records, damage) = try readEverything(path)
    #expect(records.count == 3)
    #expect(damage?.kind == .invalid)
    #expect(
      damage?.description
        == "\(path): the record at byte offset \(start) (3 records before it) is damaged: invalid packet "
        + "capture length \(length), bigger than snaplen of 65535")
  }

  @Test("damage is told again by every further call")
  func sticky() throws {
    var file = CaptureBytes.pcap()
    file.add(1, 0)
    var reader = try CaptureReader(path: folder.write(file.bytes))
    for _ in 0..<3 {
      guard case .damaged(let damage) = reader.next() else {
        Issue.record("expected damage")
        return
      }
      #expect(damage.offset == 24)
    }
  }

  @Test("a pcapng file cut at any byte of its last packet", arguments: [false, true])
  func pcapngCut(isBigEndian: Bool) throws {
    var file = CaptureBytes.pcapng(isBigEndian: isBigEndian)
    file.interface()
    file.packet(stamp: 1, [1, 2, 3, 4, 5])
    let start = file.bytes.count
    file.packet(stamp: 2, [1])
    for length in start + 1..<file.bytes.count {
      let (records, damage) = try readEverything(folder.write(Array(file.bytes.prefix(length))))
      #expect(records.count == 1, "cut at \(length)")
      #expect(damage?.kind == .truncated, "cut at \(length)")
      #expect(damage?.offset == UInt64(start), "cut at \(length)")
    }
  }

  @Test(
    "a pcapng block whose two lengths differ, behind a block without a packet: the offset is at or before it")
  func pcapngContradiction() throws {
    var file = CaptureBytes.pcapng()
    file.interface()
    file.packet(stamp: 1, [1])
    let start = file.bytes.count
    file.otherBlock(8)
    file.packet(stamp: 2, [1])
    file.bytes[file.bytes.count - 4] ^= 4
    let path = try folder.write(file.bytes)
    let (records, damage) = try readEverything(path)
    #expect(records.count == 1)
    #expect(damage?.kind == .invalid)
    let beginning = "\(path): the block at or after byte offset \(start) (1 record before it) is damaged: "
    #expect(damage?.description.hasPrefix(beginning) == true)
  }

  @Test("pcapng interfaces of differing link types or snap lengths are refused by libpcap, in its words")
  func differingInterfaces() throws {
    var links = CaptureBytes.pcapng()
    links.interface()
    links.packet(stamp: 1, [1])
    links.interface(link: 101)
    let (records, damage) = try readEverything(folder.write(links.bytes))
    #expect(records.count == 1)
    #expect(damage?.description.contains("an interface has a type 101 different from") == true)

    var lengths = CaptureBytes.pcapng()
    lengths.interface()
    lengths.interface(snapLength: 96)
    let other = try readEverything(folder.write(lengths.bytes)).damage
    #expect(other?.description.contains("an interface has a snapshot length 96 different from") == true)
  }

  @Test("from a pipe the offset in a pcap file is summed, that in a pcapng file unknown")
  func pipe() throws {
    var pcap = CaptureBytes.pcap()
    pcap.record(1, 0, [1, 2, 3])
    let start = pcap.bytes.count
    pcap.add(1, 0)
    #expect(try throughPipe(pcap.bytes)?.offset == UInt64(start))

    var pcapng = CaptureBytes.pcapng()
    pcapng.interface()
    pcapng.packet(stamp: 1, [1])
    pcapng.add(6, 40)
    let damage = try #require(try throughPipe(pcapng.bytes))
    #expect(damage.offset == nil)
    #expect(
      damage.description.contains("a block of unknown byte offset (a pipe) (1 record before it) is cut off"))
  }

  private func throughPipe(_ bytes: [UInt8]) throws -> CaptureDamage? {
    let pipe = Pipe()
    try pipe.fileHandleForWriting.write(contentsOf: Data(bytes))
    try pipe.fileHandleForWriting.close()
    return try readEverything("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)").damage
  }
}
