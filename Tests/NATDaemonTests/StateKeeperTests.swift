import Foundation
import Glibc
import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATTable
import NATWire
import Testing

@testable import NATDaemon

/// The file of a state and whoever keeps it, against a worker that runs.
@Suite struct StateKeeperTests {
  /// A worker, and a folder of its own.
  private final class Place {
    let bench: Bench
    let folder = FileManager.default.temporaryDirectory.appending(path: "portico-\(UUID().uuidString)").path

    init() throws {
      bench = try Bench()
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    var path: String { folder + "/state" }
    var files: [String] {
      get throws { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
    }

    func keeper(_ path: String? = nil, waits: Bool = false) throws -> StateKeeper {
      var state = Configuration.State()
      state.file = path ?? self.path
      return try #require(StateKeeper(state, bench.workers, waits: waits, logger: Logger(label: "test")))
    }

    func feed(_ count: Int) async {
      let host = Endpoint(IPv4Address(192, 168, 1, 2), 5000)
      await bench.feed((0..<count).map { (host, Endpoint(IPv4Address(0xC633_6400 + UInt32($0)), 80)) })
    }

    func end() async {
      await bench.stop()
      try? FileManager.default.removeItem(atPath: folder)
    }
  }

  private static func expect<Answer>(
    _ reason: String, _ text: String, _ body: () async throws(ControlError) -> Answer
  ) async {
    do throws(ControlError) {
      _ = try await body()
      Issue.record("done instead of refused: \(reason)")
    } catch {
      #expect(error.reason == reason && error.error.contains(text), "\(error)")
    }
  }

  @Test("two gateways with one state file: the second neither restores nor saves, until the first has gone")
  func shared() async throws {
    let place = try Place()
    await place.feed(3)
    var first: StateKeeper? = try place.keeper()
    #expect(await first?.load() == nil)
    #expect(await first?.document.outcome == RestoredDocument.Outcome.none)
    #expect(try await first?.save().sessions == 3)
    let second = try place.keeper()
    #expect(await second.load() == nil)
    let (document, fault) = (await second.document, await second.fault)
    #expect(document.outcome == .refused && fault?.contains("another gateway") == true)
    await StateKeeperTests.expect("not-written", "another gateway that runs") { () throws(ControlError) in
      try await second.save()
    }
    // The lock goes from file to file.
    for _ in 0..<3 { #expect(try await first?.save().sessions == 3) }
    await StateKeeperTests.expect("not-written", "another gateway that runs") { () throws(ControlError) in
      try await second.save()
    }
    #expect(try place.files == ["state"])
    #expect(try SnapshotFile.load(path: place.path).counts.sessions == 3)
    first = nil
    // A program that another test is about to start may have the lock for a moment longer.
    let end = ContinuousClock.now + .seconds(30)
    var saved: SnapshotDocument?
    while saved == nil, ContinuousClock.now < end { saved = try? await second.save() }
    #expect(saved?.sessions == 3)
    #expect(await second.fault == nil)
    await place.end()
  }

  @Test(
    "what stands at the path and is no file of ours is neither waited for nor replaced, and the status says so at once"
  )
  func otherKinds() async throws {
    let place = try Place()
    let target = place.folder + "/target"
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: target))
    try FileManager.default.createSymbolicLink(atPath: place.path, withDestinationPath: target)
    try FileManager.default.createDirectory(
      atPath: place.folder + "/folder", withIntermediateDirectories: true)
    // Safety: the call does not keep the path.
    let isMade = unsafe mkfifo(place.folder + "/pipe", 0o600) == 0
    #expect(isMade)
    for name in ["state", "folder", "pipe"] {
      let keeper = try place.keeper(place.folder + "/" + name)
      #expect(await keeper.load() == nil)
      let (document, fault) = (await keeper.document, await keeper.fault)
      #expect(document.outcome == .refused)
      #expect(fault?.contains("found no regular file") == true, "\(String(describing: fault))")
      await StateKeeperTests.expect("not-written", "found no regular file") { () throws(ControlError) in
        try await keeper.save()
      }
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data([1, 2, 3]))
    #expect(try place.files == ["folder", "pipe", "state", "target"])
    // A folder that is not there.
    let nowhere = try place.keeper(place.folder + "/none/state")
    #expect(await nowhere.load() == nil)
    #expect(await nowhere.fault?.contains("cannot create") == true)
    await place.end()
  }

  @Test("a file of terabytes is refused by its ends, before there is memory for it")
  func huge() async throws {
    let place = try Place()
    await place.feed(1)
    let keeper = try place.keeper()
    _ = try await keeper.save()
    let whole = try Data(contentsOf: URL(fileURLWithPath: place.path))
    let path = place.folder + "/huge"
    try whole.prefix(80).write(to: URL(fileURLWithPath: path))
    for length in [1 << 33, 1 << 42] {
      // Safety: the call does not keep the path.
      let isLonger = unsafe truncate(path, length) == 0
      #expect(isLonger)
      let begin = ContinuousClock.now
      let fault = #expect(throws: SnapshotFile.Fault.self) { try SnapshotFile.load(path: path) }
      #expect(fault?.description.contains("cut off, or longer than it says") == true)
      #expect(ContinuousClock.now - begin < .seconds(5))
    }
    await place.end()
  }

  @Test("stopping waits for a snapshot that is being written, and writes the last one behind it")
  func stopped() async throws {
    let place = try Place()
    // Three steps of 2,048 records.
    await place.feed(6000)
    let keeper = try place.keeper()
    async let first = keeper.save()
    await Task.yield()
    async let second: SnapshotDocument? = try? await keeper.save()
    await Task.yield()
    await keeper.stop()
    // Whichever came first is whole, and the other was told.
    let written = [try? await first, await second]
    #expect(written.allSatisfy { $0 == nil || $0?.sessions == 6000 })
    #expect(try SnapshotFile.load(path: place.path).counts.sessions == 6000)
    #expect(try place.files == ["state"])
    await StateKeeperTests.expect("stopping", "stopping") { () throws(ControlError) in try await keeper.save()
    }
    #expect(try place.files == ["state"])
    await place.end()
  }

  @Test("RC8 what waits for the host's addresses stays in its file, whatever is asked, until it is taken up")
  func waiting() async throws {
    let place = try Place()
    await place.feed(2)
    let first = try place.keeper(place.path + "-before")
    _ = try await first.save()
    let whole = try Data(contentsOf: URL(fileURLWithPath: place.path + "-before"))
    try whole.write(to: URL(fileURLWithPath: place.path))
    let keeper = try place.keeper(waits: true)
    #expect(await keeper.load() == nil)
    let (document, fault) = (await keeper.document, await keeper.fault)
    #expect(document.outcome == .waiting && document.age != nil && fault == nil)
    await StateKeeperTests.expect("state-waits", "waits for the machine's addresses") {
      () throws(ControlError) in
      try await keeper.save()
    }
    await keeper.stop()
    #expect(try Data(contentsOf: URL(fileURLWithPath: place.path)) == whole)
    let held = try #require(await keeper.held)
    await keeper.took(held, RestoredTable())
    #expect(await keeper.document.outcome == .restored)
    #expect(try await keeper.save().sessions == 2)
    await place.end()
  }
}
