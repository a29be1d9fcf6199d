import NATGateway
import NATWire

/// Work that the daemon gives a worker, to be done between its rounds.
struct Command: Sendable {
  /// Takes one step; true when all is done and whoever waits has been told.
  let step: @Sendable (inout Pipeline, Instant) -> Bool
  /// The worker stops before it is done.
  let giveUp: @Sendable () -> Void
}

extension Mailbox {
  /// Lets the worker do a job, and waits until it is done.
  ///
  /// - Returns: the job with its results; nil when the worker has stopped.
  func perform<Job: GatewayJob>(_ job: Job) async -> Job? {
    await withCheckedContinuation { post(Command(job, $0)) }
  }

  /// Lets the worker do something in one step, and waits until it is done; nil when the worker has stopped.
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

  /// Stops the worker, and lets it do a job when it has worked on its last frame.
  ///
  /// - Returns: the job with its results; nil when the worker had been told to stop before.
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

/// A job on its way to the worker, which alone touches it from then on.
private final class JobBox<Job: GatewayJob>: @unchecked Sendable {
  var job: Job
  init(_ job: Job) { self.job = job }
}
