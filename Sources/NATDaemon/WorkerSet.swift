import NATGateway
import NATTable
import NATWire

/// The workers of a gateway, each with a mailbox and figures. A job goes to one worker or to all. One worker
/// runs today.
final class WorkerSet: Sendable {
  struct Member: Sendable {
    let number: Int
    let mailbox = Mailbox()
    let figures = WorkerFigures()
  }

  let members: [Member]

  /// - Precondition: `count` is at least 1.
  init(count: Int = 1) { members = (0..<count).map { Member(number: $0) } }

  /// Changes the mail of every worker.
  func post(_ change: (inout Mailbox.Mail) -> Void) {
    for member in members { member.mailbox.post(change) }
  }

  /// Whether a worker has lost the capture of an interface since the last call.
  func takeLost(_ index: InterfaceIndex) -> Bool {
    members.reduce(false) { $1.mailbox.takeLost(index) || $0 }
  }

  /// Makes ``takeLost(_:)`` return true again.
  func report(lost index: InterfaceIndex) { members[0].mailbox.report(lost: index) }

  /// Gives each worker a copy of a job, and waits for all of them.
  /// - Returns: the finished jobs in the order of the workers; nil if a worker has stopped.
  func perform<Job: GatewayJob>(_ job: Job) async -> [Job]? {
    await gather { await $0.perform(job) }
  }

  /// Runs `body` on each worker in one step, and waits for all of them.
  /// - Returns: the answers in the order of the workers; nil if a worker has stopped.
  func perform<Answer: Sendable>(
    _ body: @escaping @Sendable (inout Pipeline, Instant) -> Answer
  ) async -> [Answer]? {
    await gather { await $0.perform(body) }
  }

  private func gather<Answer: Sendable>(
    _ ask: @escaping @Sendable (Mailbox) async -> Answer?
  ) async -> [Answer]? {
    await withTaskGroup(of: (Int, Answer?).self) { tasks in
      for member in members { tasks.addTask { (member.number, await ask(member.mailbox)) } }
      var answers: [Int: Answer] = [:]
      for await (number, answer) in tasks { answers[number] = answer }
      guard answers.count == members.count else { return nil }
      return members.compactMap { answers[$0.number] }
    }
  }
}
