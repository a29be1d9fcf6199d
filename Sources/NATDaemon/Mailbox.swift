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

/// What the daemon and a worker tell each other. The worker looks at one flag a round; everything else
/// happens when it is set.
final class Mailbox: Sendable {
  struct Mail: ~Copyable {
    var isToStop = false
    /// To be done before the worker stops, when no frame comes any more.
    var last: Command?
    /// The worker has stopped, and takes nothing any more.
    var isClosed = false
    /// The gateway's addresses are to be announced again.
    var isToAnnounce = false
    /// What the kernel has for itself, where that has changed.
    var machineAddresses: [IPv4Address]?
    /// Work between two rounds, in the order in which it is to be done.
    var commands: [Command] = []
    /// Interfaces to be used from now on.
    var inside: Attachment?
    var outside: Attachment?
  }

  /// For the worker's `poll(2)`: readable when there is mail.
  let descriptor: Int32
  private let mail = Mutex(Mail())
  private let isFull = Atomic(false)
  private let lostInside = Atomic(false)
  private let lostOutside = Atomic(false)

  init() {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(descriptor >= 0, "no eventfd: error \(errno)")
  }

  deinit { close(descriptor) }

  /// The daemon's: leaves word for the worker, and wakes it.
  func post(_ change: (inout Mail) -> Void) {
    mail.withLock { change(&$0) }
    var one: UInt64 = 1
    // Before the flag: a worker that took the mail between the two would find nothing to read, and what is written then
    // would wake it for ever. If it reads this while it takes earlier mail, it takes this too.
    // Safety: an eventfd takes eight bytes. It is full only when the worker has more than enough to wake for.
    _ = unsafe write(descriptor, &one, 8)
    isFull.store(true, ordering: .releasing)
  }

  /// The daemon's: gives the worker work. A worker that has stopped gives it up.
  func post(_ command: Command) {
    var isRefused = false
    post { mail in
      isRefused = mail.isClosed
      if !isRefused { mail.commands.append(command) }
    }
    if isRefused { command.giveUp() }
  }

  /// The worker's: takes no more work.
  /// - Returns: what was left meanwhile.
  func refuseCommands() -> [Command] {
    mail.withLock { mail in
      mail.isClosed = true
      defer { mail.commands = [] }
      return mail.commands
    }
  }

  /// The worker's: takes what was left since the last time; nil when there is nothing.
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
      }
      return Mail(
        isToStop: mail.isToStop, last: mail.last, isToAnnounce: mail.isToAnnounce,
        machineAddresses: mail.machineAddresses,
        commands: mail.commands, inside: mail.inside.take(), outside: mail.outside.take())
    }
  }

  /// The worker's: says that an interface has vanished.
  func report(lost side: Side) {
    switch side {
    case .inside: lostInside.store(true, ordering: .relaxed)
    case .outside: lostOutside.store(true, ordering: .relaxed)
    }
  }

  /// The daemon's: whether an interface has vanished since the last time.
  func takeLost(_ side: Side) -> Bool {
    switch side {
    case .inside: lostInside.exchange(false, ordering: .relaxed)
    case .outside: lostOutside.exchange(false, ordering: .relaxed)
    }
  }
}
