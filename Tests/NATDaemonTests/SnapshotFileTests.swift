import Foundation
import Glibc
import NATComposition
import NATMemory
import NATTable
import NATWire
import TestSupport
import Testing

@testable import NATDaemon

/// Snapshots as files.
@Suite struct SnapshotFileTests {
  private static func withFolder(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { try body($0.path) }
  }

  private static func write(_ path: String, hosts: Int) throws -> Int {
    var writer = try SnapshotWriter(
      path: path,
      SnapshotHeader(
        clock: Instant(nanoseconds: 5), unixNanoseconds: 7, started: Instant(nanoseconds: 1)))
    var settings = TableSettings(pool: [PoolAddress(IPv4Address(203, 0, 113, 5), ports: [1024...65535])])
    settings.lifetimes.udpPorts[53] = 1
    var random = RandomSource(seed: 1)
    let table = TranslationTable(settings, random: &random)
    var shard = table.makeShard(worker: 0)
    for host in 0..<hosts {
      let endpoint = Endpoint(IPv4Address(0xC0A8_0102 + UInt32(host)), 5000)
      let chosen = shard.choosePublic(.udp, for: endpoint, &random)
      let binding = try #require(chosen)
      _ = shard.insertBinding(binding, for: endpoint, at: Instant(nanoseconds: 2))
      _ = shard.insertSession(
        binding, remote: endpoint, state: .active, flags: .insideUsed, opener: 80,
        at: Instant(nanoseconds: 2))
    }
    var walk = SavingWalk()
    var words: [UInt64] = []
    shard.save(&walk, limit: .max, into: &words)
    try writer.append(words)
    let written = try writer.commit(walk.counts)
    close(written.descriptor)
    return written.byteCount
  }

  @Test("a file that is cut off at any byte is refused by name, with what would be right")
  func truncated() throws {
    try SnapshotFileTests.withFolder { folder in
      let path = folder + "/state"
      let count = try SnapshotFileTests.write(path, hosts: 3)
      #expect(try SnapshotFile.load(path: path).counts.sessions == 3)
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      #expect(whole.count == count)
      // Header, a lifetime of a port, three sessions, three hosts, four counts and the checksum.
      #expect(count == 8 * (10 + 1 + 3 * 11 + 3 + 4 + 1))
      for length in 0..<count {
        try whole.prefix(length).write(to: URL(fileURLWithPath: path))
        let fault = #expect(throws: SnapshotFile.Fault.self) { try SnapshotFile.load(path: path) }
        #expect(fault?.kind == .content && fault?.description.hasPrefix("\(path): found ") == true)
      }
      #expect(throws: SnapshotFile.Fault.self) { try SnapshotFile.load(path: folder) }
      let missing = #expect(throws: SnapshotFile.Fault.self) { try SnapshotFile.load(path: folder + "/none") }
      #expect(missing?.kind == .missing)
    }
  }

  @Test("what is not finished leaves the old file as it was, and nothing beside it")
  func unfinished() throws {
    try SnapshotFileTests.withFolder { folder in
      let path = folder + "/state"
      _ = try SnapshotFileTests.write(path, hosts: 1)
      do {
        var writer = try SnapshotWriter(
          path: path,
          SnapshotHeader(clock: Instant(nanoseconds: 5), unixNanoseconds: 7, started: Instant(nanoseconds: 1))
        )
        try writer.append([1, 2, 3])
        #expect(FileManager.default.fileExists(atPath: path + ".new"))
      }
      #expect(try SnapshotFile.load(path: path).counts.sessions == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["state"])
      // What a process that was killed left behind is written over.
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path + ".new"))
      _ = try SnapshotFileTests.write(path, hosts: 2)
      #expect(try SnapshotFile.load(path: path).counts.sessions == 2)
      #expect(throws: SnapshotWriter.Fault.self) {
        try SnapshotFileTests.write(folder + "/none/state", hosts: 1)
      }
    }
  }
}
