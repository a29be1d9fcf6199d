import Logging
import Synchronization

/// A part of the daemon that starts, works in a task and stops.
///
/// ``Daemon`` holds a list of components. A new capability is a new component, which the others need not
/// know.
protocol Component: Sendable {
  /// Starts the component. Those before it in the list have started.
  /// - Throws: if the daemon cannot work without it; the components that have started are stopped.
  func start() async throws

  /// Works until its task is cancelled. Called when all components have started.
  func run() async

  /// Stops the component. Its ``run()`` has returned. Components before it in the list still work.
  func stop() async

  /// What does not work as configured now.
  var conditions: [Condition] { get async }
}

extension Component {
  func start() async throws {}
  func run() async {}
  func stop() async {}
  var conditions: [Condition] { get async { [] } }
}

/// Something that does not work as configured.
struct Condition: Equatable, Sendable {
  /// The text for `degraded` in the status.
  var reason: String
  /// Whether the gateway forwards no packets. If false, it forwards but does less than it should.
  var stopsForwarding = false
}

/// The components of a daemon. They start in the order of the list and stop in reverse.
final class ComponentList: Sendable {
  private struct Entry {
    let component: any Component
    var isStarted = false
    var work: Task<Void, Never>?
  }

  private let entries = Mutex<[Entry]>([])

  init(_ components: [any Component] = []) { append(components) }

  /// Adds components to the end of the list.
  /// - Precondition: ``start()`` has not been called.
  func append(_ components: [any Component]) {
    entries.withLock { $0 += components.map { Entry(component: $0) } }
  }

  /// Starts all components, then runs each of them in a task.
  /// - Throws: the first error of a component, after those before it have stopped.
  func start() async throws {
    do {
      for (place, component) in components.enumerated() {
        try await component.start()
        entries.withLock { $0[place].isStarted = true }
      }
    } catch {
      await stop()
      throw error
    }
    for (place, component) in components.enumerated() {
      let work = Task { await component.run() }
      entries.withLock { $0[place].work = work }
    }
  }

  /// Stops the components that have started, the last one first.
  func stop() async {
    for place in components.indices.reversed() {
      let entry = entries.withLock { entries in
        defer { entries[place].isStarted = false }
        return entries[place]
      }
      guard entry.isStarted else { continue }
      entry.work?.cancel()
      await entry.work?.value
      await entry.component.stop()
    }
  }

  /// The conditions of all components, in the order of the list.
  var conditions: [Condition] {
    get async {
      var all: [Condition] = []
      for component in components { all += await component.conditions }
      return all
    }
  }

  private var components: [any Component] { entries.withLock { $0.map(\.component) } }
}

/// Calls `body` at once and then every `interval`, until the task is cancelled.
nonisolated(nonsending) func repeatedly(
  every interval: Duration, _ body: nonisolated(nonsending) () async -> Void
) async {
  while !Task.isCancelled {
    await body()
    try? await Task.sleep(for: interval)
  }
}
