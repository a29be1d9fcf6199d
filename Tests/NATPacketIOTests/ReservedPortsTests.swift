import Foundation
import NATPacketIO
import Testing

/// The kernel's setting stands in an ordinary file here.
@Suite("Reserved ports")
struct ReservedPortsTests {
  let folder: TemporaryFolder
  let setting: String
  let localRange: String

  init() throws {
    folder = try TemporaryFolder()
    setting = try folder.write(Array("\n".utf8), as: "reserved")
    localRange = try folder.write(Array("32768\t60999\n".utf8), as: "range")
  }

  private func ports(record: String = "record") -> ReservedPorts {
    ReservedPorts(record: folder.file(record), setting: setting, localRange: localRange)
  }

  private func set(_ text: String) throws { _ = try folder.write(Array((text + "\n").utf8), as: "reserved") }

  private var value: String {
    get throws {
      try String(contentsOfFile: setting, encoding: .utf8).split(separator: "\n").first.map(String.init) ?? ""
    }
  }

  @Test("ports are added and taken back, and those of others stay, also where both have them")
  func restores() throws {
    try set("8080,20000-20010,40000")
    let ports = ports()
    #expect(try !ports.holds([10240...32767]))
    try ports.add([10240...32767, 8080...8081])
    #expect(try value == "8080-8081,10240-32767,40000")
    #expect(try ports.holds([10240...32767]) && ports.isRecorded)
    // Somebody reserves another one meanwhile.
    try set("8080-8081,10240-32767,40000,50000")
    try ports.restore()
    #expect(try value == "8080,20000-20010,40000,50000")
    #expect(!ports.isRecorded)
    try ports.restore()
    #expect(try value == "8080,20000-20010,40000,50000")
  }

  @Test("RC8 after kill -9 another process takes back what the first one added, also if it added more itself")
  func takenOver() throws {
    try set("22000")
    try ports().add([10240...32767])
    // The first is gone; the second is set up for more.
    try ports().add([10240...32767, 8080...8080])
    #expect(try value == "8080,10240-32767")
    try ports().restore()
    #expect(try value == "22000")
  }

  @Test("a range that leaves the kernel no port of its own is refused, and nothing changes")
  func leavesSome() throws {
    #expect(throws: ReservedPorts.Fault.self) { try ports().add([1024...65535]) }
    #expect(try value == "" && !ports().isRecorded)
    try ports().add([1024...60998])
    #expect(try value == "1024-60998")
  }

  @Test(
    "a setting that cannot be read or understood is a fault that says what was found",
    arguments: ["x", "5-", "9-3", "70000"])
  func damaged(text: String) throws {
    try set(text)
    do {
      try ports().add([10240...32767])
      Issue.record("\(text) was taken")
    } catch {
      #expect(error.description.contains("found \(text)"), "\(error)")
    }
    #expect(try value == text)
  }
}
