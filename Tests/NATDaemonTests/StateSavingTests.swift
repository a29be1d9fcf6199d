import Dispatch
import Foundation
import Logging
import NATComposition
import NATConfiguration
import NATControl
import NATTable
import NATWire
import Synchronization
import Testing

@testable import NATDaemon

/// What is saved of a gateway into a file, from a worker that runs.
@Suite struct StateSavingTests {
  /// What was logged: level and message.
  private final class Log: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func logger() -> Logger { Logger(label: "test") { _ in Handler(log: self) } }

    struct Handler: LogHandler {
      let log: Log
      var metadata = Logger.Metadata()
      var logLevel = Logger.Level.trace

      subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
      }

      func log(event: LogEvent) {
        log.lines.withLock { $0.append("\(event.level) \(event.message)") }
      }
    }
  }

  /// A bench, and a folder for the state.
  private struct Stage {
    let bench: Bench
    let folder: URL
    let log = Log()
    let keeper: StateKeeper
    var path: String { folder.appending(path: "state").path }

    init() throws {
      bench = try Bench()
      folder = FileManager.default.temporaryDirectory.appending(path: "portico-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      var state = Configuration.State()
      state.file = folder.appending(path: "state").path
      keeper = try #require(StateKeeper(state, bench.workers, logger: log.logger()))
    }

    func stop() async throws {
      await bench.stop()
      try FileManager.default.removeItem(at: folder)
    }
  }

  private static func flows(_ count: Int) -> [(Endpoint, Endpoint)] {
    (0..<count).map { number in
      (
        Endpoint(IPv4Address(192, 168, 1, 2), 5000),
        Endpoint(IPv4Address(0xC633_6400 + UInt32(number)), 80)
      )
    }
  }

  @Test("RC8 a snapshot has every session, in however many steps, and is for its owner alone")
  func saved() async throws {
    let stage = try Stage()
    await stage.bench.feed(Self.flows(5000))
    let document = try await stage.keeper.save()
    #expect(document.sessions == 5000)
    #expect(try SnapshotFile.load(path: stage.path).counts.sessions == 5000)
    let facts = try FileManager.default.attributesOfItem(atPath: stage.path)
    #expect(facts[.posixPermissions] as? Int == 0o600)
    #expect(facts[.size] as? Int == document.bytes)
    try await stage.stop()
  }

  @Test("RC8 a daemon that stops saves all of its table")
  func stopped() async throws {
    let stage = try Stage()
    await stage.bench.feed(Self.flows(5000))
    await stage.keeper.stop()
    #expect(try SnapshotFile.load(path: stage.path).counts.sessions == 5000)
    #expect(stage.log.all == ["notice state saved"])
    // The worker has gone: there is nothing to save any more.
    await #expect(throws: ControlError.self) { try await stage.keeper.save() }
    try await stage.stop()
  }

  @Test("one snapshot at a time: another one is refused while it is written")
  func busy() async throws {
    let stage = try Stage()
    let gate = await stage.bench.holdWorker()
    let keeper = stage.keeper
    let answers = await withTaskGroup(of: String?.self) { group in
      for _ in 0..<2 {
        group.addTask {
          do throws(ControlError) {
            _ = try await keeper.save()
            return "saved"
          } catch {
            return error.reason
          }
        }
      }
      // The worker hangs until one is refused, or for so long.
      group.addTask {
        try? await Task.sleep(for: .seconds(30))
        return nil
      }
      var answers: [String] = []
      for await answer in group {
        if answers.isEmpty { gate.signal() }
        if let answer { answers.append(answer) }
        group.cancelAll()
      }
      return answers
    }
    #expect(answers == ["busy", "saved"])
    try await stage.stop()
  }

  @Test("a state that cannot be saved is logged when that begins, and when it is over")
  func fault() async throws {
    let stage = try Stage()
    try FileManager.default.createDirectory(
      atPath: stage.path + ".new", withIntermediateDirectories: false)
    for _ in 0..<2 {
      await #expect {
        try await stage.keeper.save()
      } throws: {
        ($0 as? ControlError)?.reason == "not-written"
      }
    }
    #expect(stage.log.all == ["error state not saved"])
    try FileManager.default.removeItem(atPath: stage.path + ".new")
    for _ in 0..<2 { _ = try await stage.keeper.save() }
    #expect(stage.log.all == ["error state not saved", "notice the state can be saved again"])
    try await stage.stop()
  }
}
