import CLinuxPacket
import Glibc
import NATLiveIO
import NATWire
import Synchronization

/// An interface as a worker uses it.
struct Attachment: ~Copyable, Sendable {
  var capture: LiveCapture
  var transmitter: Transmitter
}

/// An attachment on its way to the worker, which takes it out once.
final class AttachmentBox: Sendable {
  let index: InterfaceIndex
  private let content: Mutex<Attachment?>

  init(_ attachment: consuming Attachment, _ index: InterfaceIndex) {
    self.index = index
    content = Mutex(attachment)
  }

  func take() -> Attachment? { content.withLock { $0.take() } }
}

/// What the daemon and a worker tell each other. The worker reads one flag a round, and the mail only if it is set.
final class Mailbox: Sendable {
  struct Mail: ~Copyable {
    var isToStop = false
    /// The command to carry out before the worker stops, when it takes no more frames.
    var last: Command?
    /// The worker has stopped, and takes no more commands.
    var isClosed = false
    /// Whether to announce the gateway's addresses again.
    var isToAnnounce = false
    /// The machine's own addresses, if they have changed.
    var machineAddresses: [IPv4Address]?
    /// Work between two rounds, in its order.
    var commands: [Command] = []
    /// Interfaces to use from now on.
    var attachments: [AttachmentBox] = []
  }

  /// For the worker's `poll(2)`: readable when there is mail.
  let descriptor: Int32
  private let mail = Mutex(Mail())
  private let isFull = Atomic(false)
  /// The interfaces that the worker has lost, one bit each.
  private let lost = Atomic<UInt64>(0)

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(descriptor >= 0, "no eventfd: error \(errno)")
  }

  deinit { close(descriptor) }

  /// Called by the daemon: changes the mail, and wakes the worker.
  func post(_ change: (inout Mail) -> Void) {
    mail.withLock { change(&$0) }
    var one: UInt64 = 1
    // Write before setting the flag. The other way round the worker could take the mail in between; the later write would
    // then wake it for ever. A worker that reads the eventfd while it takes earlier mail takes this mail too.
    // Safety: an eventfd takes eight bytes. It is full only if the worker has been woken more than often enough.
    _ = unsafe write(descriptor, &one, 8)
    isFull.store(true, ordering: .releasing)
  }

  /// Called by the daemon: gives the worker a command. If the worker has stopped, the command is given up.
  func post(_ command: Command) {
    var isRefused = false
    post { mail in
      isRefused = mail.isClosed
      if !isRefused { mail.commands.append(command) }
    }
    if isRefused { command.giveUp() }
  }

  /// Called by the worker: takes no more commands.
  /// - Returns: the commands that it has not taken.
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

  /// Called by the worker: the capture of an interface has ended.
  func report(lost index: InterfaceIndex) { lost.bitwiseOr(1 << UInt64(index.place), ordering: .relaxed) }

  /// Called by the daemon: whether the capture of an interface has ended since the last call.
  func takeLost(_ index: InterfaceIndex) -> Bool {
    let bit: UInt64 = 1 << UInt64(index.place)
    return lost.bitwiseAnd(~bit, ordering: .relaxed).oldValue & bit != 0
  }
}
