import CLinuxPacket
import Glibc
import Logging

/// The thread of a worker, pinned to a processor. It runs nothing but the worker.
final class WorkerThread: Sendable {
  private let ended: AsyncStream<Void>

  /// Starts the thread.
  ///
  /// - Parameter number: the worker's number. The first worker gets the last processor, because interrupts
  ///   mostly go to the first.
  init(_ worker: consuming Worker, number: Int) {
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    ended = stream
    let task = Task(worker, number: number, continuation)
    var thread = pthread_t()
    // Safety: the thread takes over the reference.
    let code = unsafe pthread_create(
      &thread, nil, runWorker, Unmanaged.passRetained(task).toOpaque())
    precondition(code == 0, "no thread: error \(code)")
    pthread_detach(thread)
  }

  /// Returns when the worker has ended.
  func waitForEnd() async {
    for await _ in ended {}
  }

  fileprivate final class Task {
    private var worker: Worker
    private let number: Int
    private let end: AsyncStream<Void>.Continuation

    init(_ worker: consuming Worker, number: Int, _ end: AsyncStream<Void>.Continuation) {
      self.worker = worker
      self.number = number
      self.end = end
    }

    func run() {
      let processor = max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1 - number)
      let code = portico_pin_thread(Int32(processor))
      if code != 0 {
        worker.logger.notice(
          "worker is not pinned", metadata: ["processor": "\(processor)", "error": "\(code)"])
      }
      // Real-time priority, so that threads that read the table do not delay the worker. Measured with
      // niceness instead: the worker still waited 4 ms in the middle of a round.
      var priority = sched_param(sched_priority: 1)
      // Safety: the structure is ours.
      let refusal = unsafe pthread_setschedparam(pthread_self(), SCHED_RR, &priority)
      if refusal != 0 {
        worker.logger.notice(
          "worker runs among all others; expected LimitRTPRIO=1 or CAP_SYS_NICE",
          metadata: ["error": "\(refusal)"])
      }
      worker.run()
      end.finish()
    }
  }
}

/// The body of the thread. Not a closure, because a closure may carry the executor of its context.
private func runWorker(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  // Safety: the references were made for this thread.
  let task = unsafe Unmanaged<WorkerThread.Task>.fromOpaque(argument).takeRetainedValue()
  task.run()
  return nil
}
