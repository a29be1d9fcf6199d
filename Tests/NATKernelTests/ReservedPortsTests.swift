import Foundation
import Glibc
import NATKernel
import TestSupport
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

  @Test(
    "RC8 set twice, with kill -9 between, keeps in mind what was there before; without a record nothing is taken back"
  )
  func twice() throws {
    try set("10240,22000")
    try ports().restore()
    #expect(try value == "10240,22000")
    for _ in 0..<2 { try ports().add([10240...32767]) }
    #expect(try value == "10240-32767")
    // A smaller pool since then.
    try ports().add([10240...20000])
    try ports().restore()
    #expect(try value == "10240,22000")
  }

  @Test("a setting that cannot be written leaves no record, or the one that there was")
  func unwritable() throws {
    // One number, which root cannot change either.
    let fixed = ReservedPorts(
      record: folder.file("record"), setting: "/proc/sys/kernel/cap_last_cap", localRange: localRange)
    #expect(!fixed.isWritable)
    func isRefused() -> Bool {
      do {
        try fixed.add([10240...32767])
        return false
      } catch {
        return error.isNotPermitted
          && error.description.contains("cap_last_cap: cannot be written; expected root")
      }
    }
    #expect(isRefused() && !ports().isRecorded)
    try ports().add([20000...20001])
    #expect(isRefused())
    try ports().restore()
    #expect(try value == "")
  }

  /// What somebody else may have put in the place of the record, or could change.
  enum Planted: String, CaseIterable, CustomTestStringConvertible {
    case link, looseLink, pipe, folder, writable, long
    var testDescription: String { rawValue }
  }

  @Test(
    "a record that is not its writer's alone is not believed: nothing is set, nothing taken back, and it says why",
    arguments: Planted.allCases)
  func planted(_ what: Planted) throws {
    try set("10240-32767")
    let record = folder.file("record")
    let target = try folder.write(Array("10240-32767\n".utf8), as: "target")
    let found: String
    switch what {
    case .link, .looseLink:
      let path = what == .link ? target : folder.file("nowhere")
      try FileManager.default.createSymbolicLink(atPath: record, withDestinationPath: path)
      found = "found a symbolic link"
    case .pipe:
      #expect(unsafe mkfifo(record, 0o600) == 0)
      found = "found something other than a regular file"
    case .folder:
      try FileManager.default.createDirectory(atPath: record, withIntermediateDirectories: false)
      found = "found something other than a regular file"
    case .writable:
      #expect(unsafe rename(target, record) == 0 && chmod(record, 0o620) == 0)
      found = "found a file that others may write"
    case .long:
      _ = try folder.write(Array(repeating: UInt8(ascii: ","), count: 300_000), as: "record")
      #expect(unsafe chmod(record, 0o600) == 0)
      found = "found more than 262144 bytes"
    }
    for act in [{ try ports().add([9000...9001]) }, { try ports().restore() }] {
      do {
        try act()
        Issue.record("it was believed")
      } catch {
        #expect(
          "\(error)".contains("\(record): \(found); expected a file of user \(geteuid())'s"), "\(error)")
      }
    }
    #expect(try value == "10240-32767")
    if what == .link { #expect(try String(contentsOfFile: target, encoding: .utf8) == "10240-32767\n") }
    #expect(!FileManager.default.fileExists(atPath: folder.file("nowhere")))
  }

  @Test("a record of another user's is not believed", .enabled(if: geteuid() == 0, "root gives files away"))
  func foreign() throws {
    try set("10240-32767")
    let record = try folder.write(Array("10240-32767\n".utf8), as: "record")
    #expect(unsafe chmod(record, 0o600) == 0 && chown(record, 65_534, 65_534) == 0)
    do {
      try ports().restore()
      Issue.record("it was believed")
    } catch {
      #expect(
        error.description.contains("found a file of user 65534's; expected a file of user 0's"), "\(error)")
    }
    #expect(try value == "10240-32767")
  }

  @Test(
    "what lies where the record is written aside is not written to, and does not keep it from being written")
  func aside() throws {
    let target = try folder.write([1, 2, 3], as: "target")
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("record.new"), withDestinationPath: target)
    try ports().add([10240...32767])
    #expect(try Data(contentsOf: URL(filePath: target)) == Data([1, 2, 3]))
    var status = stat()
    #expect(unsafe lstat(folder.file("record"), &status) == 0 && status.st_mode == S_IFREG | 0o600)
    try ports().restore()
    #expect(try value == "")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
        "range", "reserved", "target",
      ])
  }

  @Test(
    "root's records stand in a folder of root's, one for each control socket; another user's beside the socket"
  )
  func places() {
    #expect(
      ReservedPorts.record(for: "/run/portico/control.sock", user: 0)
        == "/run/portico-ports-run-portico-control.sock")
    #expect(
      ReservedPorts.record(for: "/run/portico-b/a b.sock", user: 0)
        == "/run/portico-ports-run-portico\\x2db-a\\x20b.sock")
    #expect(
      ReservedPorts.record(for: "/run/portico/control.sock", user: 998) == "/run/portico/reserved-ports")
  }
}
