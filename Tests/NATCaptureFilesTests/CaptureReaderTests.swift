import Foundation
import NATCaptureFiles
import NATWire
import TestSupport
import Testing

@Suite("Reading captures")
struct CaptureReaderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("pcap in both byte orders, microseconds and nanoseconds", arguments: [false, true], [false, true])
  func pcap(isBigEndian: Bool, isNano: Bool) throws {
    var file = CaptureBytes.pcap(
      isBigEndian: isBigEndian, magic: isNano ? CaptureBytes.nanoseconds : CaptureBytes.microseconds)
    file.record(1_700_000_000, isNano ? 123_456_789 : 123_456, [1, 2, 3])
    file.record(1_700_000_001, 0, [], wireLength: 60)
    file.record(1_700_000_001, isNano ? 999_999_999 : 999_999, [UInt8](repeating: 7, count: 3000))
    let (records, damage) = try readEverything(folder.write(file.bytes))
    #expect(damage == nil)
    #expect(
      records == [
        CopiedRecord([1, 2, 3], stamp: 1_700_000_000_123_456_000 + (isNano ? 789 : 0)),
        CopiedRecord([], wireLength: 60, stamp: 1_700_000_001_000_000_000),
        CopiedRecord(
          [UInt8](repeating: 7, count: 3000), stamp: 1_700_000_001_999_999_000 + (isNano ? 999 : 0)),
      ])
  }

  @Test("pcapng in both byte orders, with the resolution of the interface", arguments: [false, true])
  func pcapng(isBigEndian: Bool) throws {
    var file = CaptureBytes.pcapng(isBigEndian: isBigEndian)
    file.interface()
    file.interface(resolution: 9)
    file.otherBlock(20)
    file.packet(stamp: 1_700_000_000_123_456, [1, 2, 3])
    file.packet(interface: 1, stamp: 1_700_000_000_123_456_789, [4])
    let (records, damage) = try readEverything(folder.write(file.bytes))
    #expect(damage == nil)
    #expect(
      records == [
        CopiedRecord([1, 2, 3], stamp: 1_700_000_000_123_456_000),
        CopiedRecord([4], stamp: 1_700_000_000_123_456_789),
      ])
  }

  @Test("stamps: after 2038 in both byte orders, a fraction of a second and more", arguments: [false, true])
  func unusualStamps(isBigEndian: Bool) throws {
    var file = CaptureBytes.pcap(isBigEndian: isBigEndian, magic: CaptureBytes.nanoseconds)
    file.record(0, 0, [])
    file.record(0x8000_0000, 5, [])
    file.record(10, 1_000_000_000, [])
    file.record(.max, 999_999_999, [])
    file.record(.max, 2_000_000_000, [])
    let (records, _) = try readEverything(folder.write(file.bytes))
    let last: UInt64 = 4_294_967_295_999_999_999
    #expect(records.map(\.stamp) == [0, 2_147_483_648_000_000_005, 11_000_000_000, last, last])
  }

  @Test("a pcapng stamp before 1970 counts as 1970, one after 2106 as the last a pcap file can hold")
  func clampedStamps() throws {
    var file = CaptureBytes.pcapng()
    file.block(1) { body in
      body.add16(1)
      body.add16(0)
      body.add32(65535)
      body.add16(14)  // if_tsoffset: 1,000 seconds before the epoch
      body.add16(8)
      body.add(UInt32(bitPattern: -1000), .max)
      body.add32(0)
    }
    file.interface()
    file.packet(stamp: 5, [])
    file.packet(stamp: 1_000_000_005, [])
    file.packet(interface: 1, stamp: .max, [])
    let (records, damage) = try readEverything(folder.write(file.bytes))
    #expect(damage == nil)
    #expect(records.map(\.stamp) == [0, 5_000, 4_294_967_295_999_999_999])
  }

  @Test(
    "link types Ethernet and raw IP are read",
    arguments: [(1, LinkLayer.ethernet), (101, .rawIP), (228, .rawIP), (12, .rawIP)]
      as [(UInt32, LinkLayer)])
  func linkTypes(number: UInt32, link: LinkLayer) throws {
    let reader = try CaptureReader(path: folder.write(CaptureBytes.pcap(link: number).bytes))
    #expect(reader.link == link)
  }

  @Test(
    "any other link type is refused by its name",
    arguments: [(113, "LINUX_SLL (Linux cooked v1)"), (105, "IEEE802_11 (802.11)"), (60_000, "number 60000")]
      as [(UInt32, String)])
  func otherLinkTypes(number: UInt32, name: String) throws {
    let path = try folder.write(CaptureBytes.pcap(link: number).bytes)
    let fault = faultOfOpening(path)
    #expect(fault?.kind == .badData)
    #expect(
      fault?.description
        == "\(path): link type \(name); expected Ethernet (EN10MB) or raw IP (RAW, IPV4)")
  }

  @Test("a capture without records is fine, and its end stays the end")
  func noRecords() throws {
    var reader = try CaptureReader(path: folder.write(CaptureBytes.pcap().bytes))
    for _ in 0..<3 {
      guard case .end = reader.next() else {
        Issue.record("expected the end")
        return
      }
    }
    #expect(reader.bytesRead == 24)
    #expect(reader.totalBytes == 24)
  }

  @Test(
    "what is no capture is bad data, by its own message",
    arguments: [
      ([], "empty file (0 bytes); expected a pcap or pcapng capture"),
      (Array("hello, this is text".utf8), "unknown file format; expected a pcap or pcapng capture"),
      ([0xD4, 0xC3], "only got 2"),
      ([0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4], "tried to read 24 file header bytes, only got"),
      (Array(CaptureBytes.pcapng().bytes), "no Interface Description Blocks"),
    ] as [([UInt8], String)])
  func notACapture(bytes: [UInt8], message: String) throws {
    let path = try folder.write(bytes)
    let fault = faultOfOpening(path)
    #expect(fault?.kind == .badData)
    #expect(fault?.path == path)
    let description = try #require(fault?.description)
    #expect(description.hasPrefix("\(path): "))
    #expect(description.contains(message), "\(description)")
    #expect(description.contains("expected a pcap or pcapng capture"))
  }

  @Test("a missing file and a directory are no input")
  func noInput() {
    let missing = folder.file("missing")
    let fault = faultOfOpening(missing)
    #expect(fault?.kind == .noInput)
    #expect(
      fault?.description == "\(missing): No such file or directory; expected a pcap or pcapng capture")
    let directory = faultOfOpening(folder.path)
    #expect(directory?.kind == .noInput)
    #expect(
      directory?.description == "\(folder.path): is a directory; expected a pcap or pcapng capture")
  }

  @Test("a file that may not be read is no input", .enabled(if: geteuid() != 0, "root may read everything"))
  func unreadable() throws {
    let path = try folder.write(CaptureBytes.pcap().bytes)
    // Safety: the path is not kept.
    unsafe chmod(path, 0)
    let fault = faultOfOpening(path)
    #expect(fault?.kind == .noInput)
  }

  @Test("records longer than the snap length are cut to it, and offsets stay exact")
  func longerThanSnapLength() throws {
    var file = CaptureBytes.pcap(snapLength: 8)
    file.record(1, 0, [UInt8](1...20))
    file.record(2, 0, [1, 2])
    file.record(3, 0, [UInt8](1...8))
    let start = file.bytes.count
    file.record(4, 0, [1, 2, 3, 4])
    file.bytes.removeLast()
    let (records, damage) = try readEverything(folder.write(file.bytes))
    #expect(
      records == [
        CopiedRecord([UInt8](1...8), wireLength: 20, stamp: 1_000_000_000),
        CopiedRecord([1, 2], stamp: 2_000_000_000),
        CopiedRecord([UInt8](1...8), stamp: 3_000_000_000),
      ])
    #expect(damage?.offset == UInt64(start))
  }
}
