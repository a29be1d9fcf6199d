/// The frames that one call of the gateway works on: descriptors and the memory behind them, allocated once.
///
/// A packet source copies frames in, or names them where they lie. The gateway rewrites them in place.
/// Clearing the batch makes all of its memory free again.
@safe public struct FrameBatch: ~Copyable {
  /// One received frame.
  public struct Entry: BitwiseCopyable {
    public var frame: Frame
    /// Length on the wire in bytes; larger than `frame.count` if a capture cut the frame.
    @inlinable public var wireLength: Int { Int(storedWireLength) }
    @usableFromInline var storedWireLength: UInt32
    public var instant: Instant
    /// Where it came in.
    public var interface: InterfaceIndex
    public var link: LinkLayer

    @inlinable
    public init(frame: Frame, wireLength: Int, instant: Instant, interface: InterfaceIndex, link: LinkLayer) {
      self.frame = frame
      storedWireLength = UInt32(clamping: wireLength)
      self.instant = instant
      self.interface = interface
      self.link = link
    }

    @inlinable public var side: Side { interface.side }
  }

  /// Free bytes before each frame: an Ethernet header can be written before a raw IPv4 packet.
  public static let headroom = 16
  /// The most frames of a batch. Large enough for the prefetches to overlap, small enough to stay in L1.
  public static let capacity = 64

  @usableFromInline let entries: UnsafeMutablePointer<Entry>
  @usableFromInline let arena: UnsafeMutableRawPointer
  @usableFromInline let arenaSize: Int
  @usableFromInline var used = 0
  @usableFromInline var filled = 0
  @inlinable public var count: Int { filled }
  /// Frames that the gateway has worked on.
  public var processed = 0

  /// - Parameter maximumFrameLength: bytes of the largest frame that will be appended.
  public init(maximumFrameLength: Int) {
    // Safety: allocated here and freed in `deinit`; entries are written before they are read.
    unsafe entries = .allocate(capacity: FrameBatch.capacity)
    arenaSize = max(maximumFrameLength + 2 * FrameBatch.headroom, 128 * 1024)
    unsafe arena = .allocate(byteCount: arenaSize, alignment: 64)
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

  /// Whether a frame of `length` bytes still fits.
  @inlinable public func hasRoom(for length: Int) -> Bool {
    count < FrameBatch.capacity && used &+ FrameBatch.headroom &+ length &+ 8 <= arenaSize
  }

  /// Copies a frame in.
  /// - Precondition: ``hasRoom(for:)`` said yes.
  @inlinable public mutating func append(
    _ bytes: UnsafeRawBufferPointer, wireLength: Int, at instant: Instant, from interface: InterfaceIndex,
    link: LinkLayer
  ) {
    precondition(hasRoom(for: bytes.count))
    let start = used &+ FrameBatch.headroom
    // Safety: `hasRoom` says that `start + bytes.count` lies inside the arena.
    unsafe (arena + start).copyMemory(
      from: bytes.baseAddress ?? UnsafeRawPointer(arena), byteCount: bytes.count)
    let frame = unsafe Frame(unsafeBase: arena + start, count: bytes.count)
    unsafe entries[filled] = Entry(
      frame: frame, wireLength: wireLength, instant: instant, interface: interface, link: link)
    used = (start &+ bytes.count &+ 7) & ~7
    filled &+= 1
  }

  /// Adds a frame without copying it: a large one in the ring of its capture.
  /// - Precondition: there are fewer than ``capacity`` frames. The frame begins with an Ethernet header, its
  ///   bytes may be written, and they stay until the batch is cleared.
  @inlinable public mutating func append(
    inPlace frame: Frame, wireLength: Int, at instant: Instant, from interface: InterfaceIndex
  ) {
    precondition(count < FrameBatch.capacity)
    // Safety: checked on the line above.
    unsafe entries[filled] = Entry(
      frame: frame, wireLength: wireLength, instant: instant, interface: interface, link: .ethernet)
    filled &+= 1
  }

  @inlinable public mutating func removeAll() {
    used = 0
    filled = 0
    processed = 0
  }
}
