/// The frames that leave the gateway, in the order in which they leave.
///
/// Translated frames stay where they came in and are only named here; frames of the gateway's own and fragments that
/// waited are built in the outbox's memory. The holder sends or writes them all, then clears the outbox; until then
/// the ``FrameBatch`` must not be cleared either.
@safe public struct Outbox: ~Copyable {
  /// One frame to send.
  public struct Entry: BitwiseCopyable {
    public var frame: Frame
    /// The time of the packet that caused it.
    public var instant: Instant
    /// Where it leaves.
    public var interface: InterfaceIndex
    /// Bytes of the largest IPv4 packet for its receiver; `.max` where nothing is known. A joined TCP packet leaves in
    /// segments that fit this and the MTU.
    public var largestPacket: UInt16
    public var facts: FrameFacts

    @inlinable public init(
      frame: Frame, instant: Instant, interface: InterfaceIndex, largestPacket: UInt16 = .max,
      facts: FrameFacts
    ) {
      self.frame = frame
      self.instant = instant
      self.interface = interface
      self.largestPacket = largestPacket
      self.facts = facts
    }

    @inlinable public var side: Side { interface.side }
  }

  /// Bytes for built frames: twice the worst case of one packet. That is a datagram of 65,535 bytes that waited in
  /// fragments of 16 bytes and leaves in fragments of 8, each with an IPv4 header of 60 bytes.
  @usableFromInline static let arenaSize = 4 << 20
  /// Entries: twice 8,192 fragments of one datagram, and the frames of a batch.
  @usableFromInline static let entryCapacity = 2 * 8192 + 1024

  @usableFromInline let entries: UnsafeMutablePointer<Entry>
  @usableFromInline let arena: UnsafeMutableRawPointer
  @usableFromInline var used = 0
  @usableFromInline var filled = 0
  @inlinable public var count: Int { filled }

  public init() {
    // Safety: allocated here and freed in `deinit`; entries are written before they are read.
    unsafe entries = .allocate(capacity: Outbox.entryCapacity)
    unsafe arena = .allocate(byteCount: Outbox.arenaSize, alignment: 64)
  }

  deinit {
    unsafe entries.deallocate()
    unsafe arena.deallocate()
  }

  @inlinable public subscript(index: Int) -> Entry {
    precondition(index >= 0 && index < count)
    // Safety: checked on the line above.
    return unsafe entries[index]
  }

  /// Whether all frames that one more packet can cause still fit. The gateway asks before each packet.
  @inlinable public var hasRoomForAnyPacket: Bool {
    count <= Outbox.entryCapacity / 2 && used <= Outbox.arenaSize / 2
  }

  /// Names a frame for sending.
  @inlinable public mutating func send(
    _ frame: Frame, to interface: InterfaceIndex, at instant: Instant, largestPacket: UInt16 = .max,
    facts: FrameFacts
  ) {
    precondition(count < Outbox.entryCapacity)
    // Safety: checked on the line above.
    unsafe entries[filled] = Entry(
      frame: frame, instant: instant, interface: interface, largestPacket: largestPacket, facts: facts)
    filled &+= 1
  }

  /// Memory for a frame of `length` bytes with ``FrameBatch/headroom`` free bytes before it.
  @inlinable public mutating func build(length: Int) -> Frame {
    let start = used &+ FrameBatch.headroom
    precondition(length >= 0 && start &+ length <= Outbox.arenaSize)
    used = (start &+ length &+ 7) & ~7
    // Safety: checked two lines above.
    return unsafe Frame(unsafeBase: arena + start, count: length)
  }

  /// Removes the frames for which `shouldRemove` is true.
  /// - Complexity: O(frames).
  public mutating func removeAll(where shouldRemove: (Entry) -> Bool) {
    var kept = 0
    for index in 0..<filled {
      // Safety: both places are below `filled`.
      let entry = unsafe entries[index]
      if shouldRemove(entry) { continue }
      unsafe entries[kept] = entry
      kept += 1
    }
    filled = kept
  }

  @inlinable public mutating func removeAll() {
    filled = 0
    used = 0
  }
}
