import Synchronization
import Testing

@testable import NATDaemon

/// The order in which components start and stop, and what they report.
@Suite struct ComponentTests {
  /// Notes what happens to it.
  private struct Part: Component {
    let name: String
    let log: Log
    var fails = false

    func start() throws {
      log.add("start \(name)")
      if fails { throw Log.Failure() }
    }
    func run() async {
      log.add("run")
      try? await Task.sleep(for: .seconds(600))
    }
    func stop() { log.add("stop \(name)") }
    var conditions: [NATDaemon.Condition] {
      [NATDaemon.Condition(reason: name, stopsForwarding: name == "second")]
    }
  }

  private final class Log: Sendable {
    struct Failure: Error {}
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  @Test("components start in order, work when all have started, and stop in reverse")
  func order() async throws {
    let log = Log()
    let list = ComponentList([Part(name: "first", log: log), Part(name: "second", log: log)])
    try await list.start()
    #expect(await list.conditions.map(\.reason) == ["first", "second"])
    #expect(await list.conditions.filter(\.stopsForwarding).map(\.reason) == ["second"])
    while log.all.count < 4 { await Task.yield() }
    await list.stop()
    #expect(log.all == ["start first", "start second", "run", "run", "stop second", "stop first"])
  }

  @Test("if a component does not start, those before it stop and none works")
  func failure() async {
    let log = Log()
    let list = ComponentList([
      Part(name: "first", log: log), Part(name: "second", log: log, fails: true),
      Part(name: "third", log: log),
    ])
    await #expect(throws: Log.Failure.self) { try await list.start() }
    #expect(log.all == ["start first", "start second", "stop first"])
    await list.stop()
    #expect(log.all.count == 3)
  }
}
