internal import CLinuxPacket
internal import Glibc
public import NATKernel
public import NATWire

/// Sends frames on an Ethernet interface, in batches, through AF_PACKET sockets with PACKET_VNET_HDR.
///
/// The kernel or the device finishes partial checksums and cuts joined TCP packets. Frames leave in the order
/// in which they were added. No call waits for long: a frame that the device does not take after a few tries
/// is dropped and counted, and an interface that is down or has vanished costs one system call a batch.
///
/// There are two sockets, because PACKET_QDISC_BYPASS drops joined packets that the kernel has to cut. Frames
/// bypass the queueing discipline, except TCP on a device that cannot cut joined packets. So all frames of a
/// flow take the same socket and stay in order.
@safe public struct Transmitter: ~Copyable, @unchecked Sendable {
  // Sendable: it has one owner, and nothing in it belongs to a thread.
  /// What became of the frames. Every counter only grows. Bytes are frame lengths.
  public struct Counters: Equatable, Sendable {
    public var frames: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Joined packets among the frames.
    public var joinedPackets: UInt64 = 0
    /// Dropped: the queue of the device or the buffer of the socket stayed full.
    public var queueFull: UInt64 = 0
    /// Dropped: the interface is down, or has vanished.
    public var linkDown: UInt64 = 0
    /// Dropped: longer than the MTU and not to be cut, or refused by the kernel.
    public var refused: UInt64 = 0

    public var drops: UInt64 { queueFull &+ linkDown &+ refused }
  }

  /// Dropped frames, by reason.
  public struct Drops: Equatable, Sendable {
    public var queueFull: Int
    public var linkDown: Int
    public var refused: Int
  }

  /// The interface, as the caller names it.
  public let name: String
  public internal(set) var counters = Counters()
  /// Whether the interface had vanished at the last batch: open the transmitter again when it has returned.
  public internal(set) var hasVanished = false

  private var reported = Counters()
  private let mtu: Int
  private let cutsSegments: Bool
  let direct: Int32
  let queued: Int32
  let messages: UnsafeMutablePointer<portico_message>
  let vectors: UnsafeMutablePointer<iovec>
  let headers: UnsafeMutablePointer<virtio_net_hdr>
  var count = 0
  /// The socket of the current batch.
  var way: Int32

  static let capacity = 64
  /// How often a batch is offered again to a full device, in all: about 100 microseconds.
  static let retries = 32

  /// Opens the sockets in the network namespace of the calling thread.
  ///
  /// - Parameters:
  ///   - facts: the interface as it is now. Joined packets take the socket that suits the device.
  ///   - mtu: bytes of the largest IPv4 packet, if less than the device's MTU.
  public init(_ facts: InterfaceFacts, mtu: Int? = nil) throws(InterfaceFault) {
    let direct = try packetSocket(facts, bypassesQueue: true)
    let queued: Int32
    do {
      queued = try packetSocket(facts, bypassesQueue: false)
    } catch {
      close(direct)
      throw error
    }
    self.init(
      name: facts.name, mtu: min(mtu ?? facts.mtu, facts.mtu), cutsSegments: facts.offloads.tcpSegmentation,
      direct: direct, queued: queued)
  }

  /// Takes over the sockets.
  ///
  /// - Parameters:
  ///   - cutsSegments: whether the device cuts joined packets.
  ///   - direct: the socket that bypasses the queueing discipline.
  package init(name: String, mtu: Int, cutsSegments: Bool, direct: Int32, queued: Int32) {
    self.name = name
    self.mtu = mtu
    self.cutsSegments = cutsSegments
    self.direct = direct
    self.queued = queued
    way = direct
    // Safety: allocated here, freed in deinit, and filled before anything is read.
    unsafe messages = .allocate(capacity: Transmitter.capacity)
    unsafe vectors = .allocate(capacity: 2 * Transmitter.capacity)
    unsafe headers = .allocate(capacity: Transmitter.capacity)
    for index in 0..<Transmitter.capacity {
      let own = unsafe vectors + 2 * index
      unsafe own[0] = iovec(iov_base: headers + index, iov_len: MemoryLayout<virtio_net_hdr>.size)
      var message = unsafe msghdr()
      unsafe message.msg_iov = own
      unsafe message.msg_iovlen = 2
      unsafe messages[index] = portico_message(header: message, length: 0)
    }
  }

  deinit {
    close(direct)
    close(queued)
    // Safety: owned, freed once.
    unsafe messages.deallocate()
    unsafe vectors.deallocate()
    unsafe headers.deallocate()
  }

  /// Adds a frame to the batch. A full batch is sent first.
  ///
  /// - Parameters:
  ///   - frame: Ethernet header and packet, without padding. Its bytes must stay until ``flush()``.
  ///   - facts: what decoding learned about it.
  ///   - largestPacket: bytes of the largest IPv4 packet for its receiver: for TCP, the lesser of the path
  ///     MTU and the receiver's MSS plus 40. The interface's MTU applies too. A TCP packet above it leaves in
  ///     segments.
  public mutating func add(_ frame: Frame, _ facts: FrameFacts, largestPacket: Int = .max) {
    let header: virtio_net_hdr
    var way = direct
    switch SegmentOffload(frame, facts, largestPacket: min(largestPacket, mtu), mtu: mtu) {
    case .whole(let offload):
      header = offload
      if !cutsSegments, facts.isIPv4, frame.isTCP { way = queued }
    case .segments(let offload):
      header = offload
      if !cutsSegments { way = queued }
      counters.joinedPackets &+= 1
    case .tooLong:
      counters.refused &+= 1
      return
    }
    if count == Transmitter.capacity || (way != self.way && count > 0) { flush() }
    self.way = way
    // Safety: `count` is below the capacity; the frame's bytes stay until the flush, as the caller promises.
    unsafe headers[count] = header
    let bytes = unsafe frame.unsafeBytes
    unsafe vectors[2 * count + 1] = iovec(
      iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    count &+= 1
  }

  /// Frames dropped since the last call; nil if none.
  public mutating func takeDrops() -> Drops? {
    guard counters.drops != reported.drops else { return nil }
    defer { reported = counters }
    return Drops(
      queueFull: Int(counters.queueFull &- reported.queueFull),
      linkDown: Int(counters.linkDown &- reported.linkDown),
      refused: Int(counters.refused &- reported.refused))
  }
}

extension Frame {
  /// Of an IPv4 packet, later fragments too: the fragments of a datagram take one way.
  fileprivate var isTCP: Bool { uint8(at: Ethernet.headerLength + IPv4.protocolOffset) == IPv4.protocolTCP }
}

/// Bytes for a batch of joined packets.
private let sendBufferSize: Int32 = 8 << 20

/// A socket that sends on one interface, and receives nothing.
private func packetSocket(_ facts: InterfaceFacts, bypassesQueue: Bool) throws(InterfaceFault) -> Int32 {
  let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  guard descriptor >= 0 else { throw InterfaceFault(code: errno, facts.name, "packet socket") }
  func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    var value = value
    // Safety: the value has the size that is given.
    return unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }
  var call = "PACKET_VNET_HDR"
  var isReady = set(SOL_PACKET, PACKET_VNET_HDR, 1)
  if isReady, bypassesQueue {
    call = "PACKET_QDISC_BYPASS"
    isReady = set(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
  }
  if isReady {
    // Without CAP_NET_ADMIN, as much as `net.core.wmem_max` allows.
    if !set(SOL_SOCKET, SO_SNDBUFFORCE, sendBufferSize) { _ = set(SOL_SOCKET, SO_SNDBUF, sendBufferSize) }
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_ifindex = facts.index
    call = "bind"
    // Safety: the address has the size that is given.
    isReady = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size)) == 0
      }
    }
  }
  guard isReady else {
    let code = errno
    close(descriptor)
    throw InterfaceFault(code: code, facts.name, call)
  }
  return descriptor
}
