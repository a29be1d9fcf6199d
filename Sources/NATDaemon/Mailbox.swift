import CLinuxPacket
import Glibc
import NATLiveIO
import NATWire
import Synchronization

/// What a worker needs of an interface.
struct Attachment: ~Copyable, Sendable {
  var capture: LiveCapture
  var transmitter: Transmitter
}

/// An attachment on its way to the worker, which takes it once.
final class AttachmentBox: Sendable {
  let index: InterfaceIndex
  private let content: Mutex<Attachment?>

  init(_ attachment: consuming Attachment, _ index: InterfaceIndex) {
    self.index = index
    content = Mutex(attachment)
  }

  func take() -> Attachment? { content.withLock { $0.take() } }
}

/// Messages between the daemon and a worker. The worker reads one flag a round, and the mail only if it is
/// set.
final class Mailbox: Sendable {
  struct Mail: ~Copyable {
    var isToStop = false
    /// The last command. The worker takes no more frames, carries it out and stops.
    var last: Command?
    /// Whether the worker has stopped and takes no more commands.
    var isClosed = false
    /// Whether to announce the gateway's addresses again.
    var isToAnnounce = false
    /// The machine's own addresses, if they have changed.
    var machineAddresses: [IPv4Address]?
    /// Commands to carry out between rounds, in order.
    var commands: [Command] = []
    /// Interfaces to use from now on.
    var attachments: [AttachmentBox] = []
  }

  /// For the worker's `poll(2)`: readable if there is mail.
  let descriptor: Int32
  private let mail = Mutex(Mail())
  private let isFull = Atomic(false)
  /// The interfaces that the worker has lost, as a bit mask.
  private let lost = Atomic<UInt64>(0)

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(descriptor >= 0, "no eventfd: error \(errno)")
  }

  deinit { close(descriptor) }

  /// Called by the daemon: changes the mail and wakes the worker.
  func post(_ change: (inout Mail) -> Void) {
    mail.withLock { change(&$0) }
    var one: UInt64 = 1
    // Write before setting the flag. In the other order the worker could take the mail in between, and the
    // later write would wake it for ever. A worker that reads the eventfd while it takes earlier mail takes
    // this mail too.
    // Safety: an eventfd takes eight bytes. If it is full, the worker is awake anyway.
    _ = unsafe write(descriptor, &one, 8)
    isFull.store(true, ordering: .releasing)
  }

  /// Called by the daemon: posts a command, or gives it up if the worker has stopped.
  func post(_ command: Command) {
    var isRefused = false
    post { mail in
      isRefused = mail.isClosed
      if !isRefused { mail.commands.append(command) }
    }
    if isRefused { command.giveUp() }
  }

  /// Called by the worker: takes no more commands.
  /// - Returns: the commands that were not carried out.
  func refuseCommands() -> [Command] {
    mail.withLock { mail in
      mail.isClosed = true
      defer { mail.commands = [] }
      return mail.commands
    }
  }

  /// Called by the worker: takes the mail since the last call; nil if there is none.
  func take() -> Mail? {
    guard isFull.load(ordering: .relaxed) else { return nil }
    isFull.store(false, ordering: .relaxed)
    var count: UInt64 = 0
    // Safety: an eventfd gives eight bytes.
    _ = unsafe read(descriptor, &count, 8)
    return mail.withLock { mail in
      defer {
        mail.isToAnnounce = false
        mail.machineAddresses = nil
        mail.commands = []
        mail.attachments = []
      }
      return Mail(
        isToStop: mail.isToStop, last: mail.last, isToAnnounce: mail.isToAnnounce,
        machineAddresses: mail.machineAddresses, commands: mail.commands, attachments: mail.attachments)
    }
  }

  /// Called by the worker: reports that the capture of an interface has ended.
  func report(lost index: InterfaceIndex) { lost.bitwiseOr(1 << UInt64(index.place), ordering: .relaxed) }

  /// Called by the daemon: whether the capture of an interface has ended since the last call.
  func takeLost(_ index: InterfaceIndex) -> Bool {
    let bit: UInt64 = 1 << UInt64(index.place)
    return lost.bitwiseAnd(~bit, ordering: .relaxed).oldValue & bit != 0
  }
}
