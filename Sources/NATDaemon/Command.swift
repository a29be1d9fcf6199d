import NATGateway
import NATWire

/// Work that the daemon gives to a worker. The worker does it between two rounds.
struct Command: Sendable {
  /// Takes one step. Returns true when the work is done and the caller has its result.
  let step: @Sendable (inout Pipeline, Instant) -> Bool
  /// Called if the worker stops before the work is done.
  let giveUp: @Sendable () -> Void
}

extension Mailbox {
  /// Runs a job on the worker and waits for it.
  /// - Returns: the job with its results; nil if the worker has stopped.
  func perform<Job: GatewayJob>(_ job: Job) async -> Job? {
    await withCheckedContinuation { post(Command(job, $0)) }
  }

  /// Runs `body` on the worker in one step and waits for the answer; nil if the worker has stopped.
  func perform<Answer: Sendable>(_ body: @escaping @Sendable (inout Pipeline, Instant) -> Answer) async
    -> Answer?
  {
    await withCheckedContinuation { (continuation: CheckedContinuation<Answer?, Never>) in
      post(
        Command(
          step: { pipeline, now in
            continuation.resume(returning: body(&pipeline, now))
            return true
          }, giveUp: { continuation.resume(returning: nil) }))
    }
  }

  /// Stops the worker and runs a job after its last frame.
  /// - Returns: the job with its results; nil if the worker was already told to stop.
  func stop<Job: GatewayJob>(after job: Job) async -> Job? {
    await withCheckedContinuation { continuation in
      let last = Command(job, continuation)
      var isRefused = false
      post { mail in
        isRefused = mail.isClosed || mail.isToStop
        guard !isRefused else { return }
        mail.isToStop = true
        mail.last = last
      }
      if isRefused { last.giveUp() }
    }
  }
}

extension Command {
  fileprivate init<Job: GatewayJob>(_ job: Job, _ continuation: CheckedContinuation<Job?, Never>) {
    let box = JobBox(job)
    self.init(
      step: { pipeline, now in
        guard pipeline.work(on: &box.job, at: now) else { return false }
        continuation.resume(returning: box.job)
        return true
      }, giveUp: { continuation.resume(returning: nil) })
  }
}

/// A job on its way to the worker. Once sent, only the worker touches it.
private final class JobBox<Job: GatewayJob>: @unchecked Sendable {
  var job: Job
  init(_ job: Job) { self.job = job }
}
