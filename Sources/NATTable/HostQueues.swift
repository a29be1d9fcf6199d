import NATMemory

/// The transitory sessions of each host, oldest first, for `evict: oldest-transitory` under a host's own
/// limit. Mapped only with that setting: 8 bytes a session and 8 bytes a host.
///
/// - Complexity: every operation is O(1).
struct HostQueues {
  /// Session numbers plus one, so that fresh memory means empty.
  struct Queue: BitwiseCopyable {
    var first: UInt32
    var last: UInt32
  }

  /// Session numbers plus two. 1 marks the ends of a queue; 0 means that the session is in no queue.
  struct Link: BitwiseCopyable {
    var next: UInt32
    var previous: UInt32
  }

  private let queues: OwnedArray<Queue>
  private let links: OwnedArray<Link>

  static func byteCounts(hosts: Int, sessions: Int) -> (queues: Int, links: Int) {
    (hosts * MemoryLayout<Queue>.stride, sessions * MemoryLayout<Link>.stride)
  }

  init(queues: MappedMemory, hosts: Int, links: MappedMemory, sessions: Int) {
    self.queues = queues.array(of: Queue.self, count: hosts)
    self.links = links.array(of: Link.self, count: sessions)
  }

  func first(of host: UInt32) -> SessionIndex? { HostQueues.session(queues[host].first, from: 1) }

  /// - Precondition: `session` is in a queue.
  func session(after session: SessionIndex) -> SessionIndex? {
    HostQueues.session(links[session.rawValue].next, from: 2)
  }

  private static func session(_ number: UInt32, from base: UInt32) -> SessionIndex? {
    number < base ? nil : SessionIndex(number - base)
  }

  /// - Precondition: `session` is in no queue.
  func append(_ session: SessionIndex, to host: UInt32) {
    let node = session.rawValue
    var queue = queues[host]
    if queue.last == 0 {
      links[node] = Link(next: 1, previous: 1)
      queue.first = node + 1
    } else {
      let last = queue.last - 1
      links[node] = Link(next: 1, previous: last + 2)
      links[last].next = node + 2
    }
    queue.last = node + 1
    queues[host] = queue
  }

  /// Removes a session from the host's queue if it is there.
  func remove(_ session: SessionIndex, from host: UInt32) {
    let link = links[session.rawValue]
    guard link.previous != 0 else { return }
    var queue = queues[host]
    if link.previous == 1 {
      queue.first = link.next == 1 ? 0 : link.next - 1
    } else {
      links[link.previous - 2].next = link.next
    }
    if link.next == 1 {
      queue.last = link.previous == 1 ? 0 : link.previous - 1
    } else {
      links[link.next - 2].previous = link.previous
    }
    queues[host] = queue
    links[session.rawValue] = Link(next: 0, previous: 0)
  }
}
