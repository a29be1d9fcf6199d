internal import CLinuxPacket
private import CPcap
internal import Glibc
public import NATKernel
public import NATWire

/// Captures the IPv4 and ARP frames that arrive on an Ethernet interface, through libpcap. Frames that this
/// machine sends are not captured.
///
/// ``receive(into:limit:)`` never waits; poll ``descriptor`` for input to wait. An interface that is down
/// delivers nothing until it is up again. One that has vanished is a fault of kind
/// ``InterfaceFault/Kind/missing``; open the capture again when it has returned.
@safe public struct LiveCapture: ~Copyable, @unchecked Sendable {
  // Sendable: it has one owner, and nothing in it belongs to a thread.
  /// The interface, as the caller names it.
  public let name: String
  /// For `poll(2)`: readable when frames are waiting.
  public let descriptor: Int32
  private let handle: OpaquePointer
  private var dropsReported: UInt32 = 0

  /// Opens the capture of an interface in the network namespace of the calling thread.
  public init(interface name: String, _ options: CaptureOptions = CaptureOptions()) throws(InterfaceFault) {
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    // Safety: the message buffer has the size that libpcap asks for; the name is not kept.
    guard let handle = unsafe pcap_create(name, &message) else {
      throw InterfaceFault(.refused, name, text(message))
    }
    do {
      try unsafe LiveCapture.activate(handle, name, options)
    } catch {
      // Safety: nobody else has the handle.
      unsafe pcap_close(handle)
      throw error
    }
    self.name = name
    unsafe self.handle = handle
    // Safety: the handle is active.
    descriptor = unsafe pcap_fileno(handle)
  }

  // Safety: owned, closed once.
  deinit { unsafe pcap_close(handle) }

  /// Passes the frames that have arrived to the receiver, in order, and returns at once.
  ///
  /// - Parameter limit: the most frames, at least 1.
  /// - Returns: the number of frames.
  /// - Throws: ``InterfaceFault`` if the capture has ended.
  @inlinable public mutating func receive<Receiver: FrameReceiver & ~Copyable>(
    into receiver: inout Receiver, limit: Int
  ) throws(InterfaceFault) -> Int {
    // Safety: the pointer is used only while `dispatch` runs, with its own type.
    try unsafe withUnsafeMutablePointer(to: &receiver) { pointer throws(InterfaceFault) in
      var handover = unsafe Handover(receiver: UnsafeMutableRawPointer(pointer)) {
        unsafe $0.assumingMemoryBound(to: Receiver.self).pointee.receive($1, wireLength: $2)
      }
      return try unsafe dispatch(&handover, limit: limit)
    }
  }

  /// A type-erased receiver for the C callback. The closure captures nothing, so nothing is allocated.
  @usableFromInline @unsafe struct Handover {
    let receiver: UnsafeMutableRawPointer
    let receive: (UnsafeMutableRawPointer, Frame, Int) -> Void

    @usableFromInline init(
      receiver: UnsafeMutableRawPointer, _ receive: @escaping (UnsafeMutableRawPointer, Frame, Int) -> Void
    ) {
      unsafe self.receiver = receiver
      unsafe self.receive = receive
    }
  }

  @usableFromInline
  mutating func dispatch(_ handover: inout Handover, limit: Int) throws(InterfaceFault) -> Int {
    precondition(limit > 0)
    // Safety: the handle is open; the callback gets the address of `handover` during the call only.
    let count = unsafe withUnsafeMutableBytes(of: &handover) { bytes in
      unsafe pcap_dispatch(
        handle, Int32(clamping: limit), handOver, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
    guard count >= 0 else { throw fault() }
    return Int(count)
  }

  /// Why the capture has ended.
  @inline(never)
  private func fault() -> InterfaceFault {
    // Safety: the handle is open; the text is copied at once.
    let words = unsafe String(cString: pcap_geterr(handle))
    var address = sockaddr_ll()
    var length = socklen_t(MemoryLayout<sockaddr_ll>.size)
    // Safety: the call fills the structure that it is given; the socket is bound to the interface.
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(descriptor, $0, &length) == 0
      }
    }
    var text = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
    // Safety: the array has the size that the call asks for.
    guard isBound, address.sll_ifindex > 0, unsafe if_indextoname(UInt32(address.sll_ifindex), &text) != nil
    else {
      return InterfaceFault(.missing, name, "has vanished: \(words)")
    }
    return InterfaceFault(.refused, name, words)
  }

  /// Frames that the kernel dropped since the last call because the ring was full.
  public mutating func takeDrops() -> Int {
    var statistics = pcap_stat()
    // Safety: the handle is open, the structure is ours.
    guard unsafe pcap_stats(handle, &statistics) == 0 else { return 0 }
    // libpcap counts in 32 bits; the difference is right across a wrap.
    let drops = statistics.ps_drop &- dropsReported
    dropsReported = statistics.ps_drop
    return Int(drops)
  }
}

extension LiveCapture {
  /// IPv4 and ARP. The filter sees a frame without its outer VLAN tag, so the first two terms hold for one
  /// tag; the last one takes frames whose second tag has the identifier 0.
  private static let filter =
    "ip or arp or ((ether[12:2] = 0x8100 or ether[12:2] = 0x88a8) and ether[14:2] & 0x0fff = 0)"

  @unsafe private static func activate(
    _ handle: OpaquePointer, _ name: String, _ options: CaptureOptions
  ) throws(InterfaceFault) {
    // Safety: the handle is open throughout, and not active yet while options are set.
    unsafe pcap_set_snaplen(handle, Int32(clamping: options.snapLength))
    unsafe pcap_set_buffer_size(handle, Int32(clamping: options.ringSize))
    unsafe pcap_set_promisc(handle, options.isPromiscuous ? 1 : 0)
    switch options.delivery {
    case .immediate: unsafe pcap_set_immediate_mode(handle, 1)
    case .blocks(let milliseconds): unsafe pcap_set_timeout(handle, Int32(clamping: max(1, milliseconds)))
    }
    let status = unsafe pcap_activate(handle)
    // Positive numbers are warnings: no promiscuous mode, or no time stamps of the wanted kind.
    guard status >= 0 else {
      let words = unsafe String(cString: pcap_geterr(handle))
      throw InterfaceFault(status: status, name, words)
    }
    guard unsafe pcap_datalink(handle) == DLT_EN10MB else {
      throw InterfaceFault(
        .notEthernet, name, "link type \(unsafe pcap_datalink(handle)); expected Ethernet (1)")
    }
    // Frames sent through other sockets would return through the ring. The option stops them in the kernel;
    // the direction drops in user space those that came before the option was set.
    var ignore: Int32 = 1
    guard
      unsafe setsockopt(
        pcap_fileno(handle), SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore, socklen_t(MemoryLayout<Int32>.size))
        == 0
    else { throw InterfaceFault(code: errno, name, "PACKET_IGNORE_OUTGOING (Linux 4.20 or later)") }
    var program = unsafe bpf_program()
    guard unsafe pcap_setdirection(handle, PCAP_D_IN) == 0,
      unsafe pcap_compile(handle, &program, LiveCapture.filter, 1, PCAP_NETMASK_UNKNOWN) == 0
    else { throw InterfaceFault(.refused, name, unsafe String(cString: pcap_geterr(handle))) }
    // Safety: the program was compiled above, and libpcap copies it.
    defer { unsafe pcap_freecode(&program) }
    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    guard unsafe pcap_setfilter(handle, &program) == 0, unsafe pcap_setnonblock(handle, 1, &message) == 0
    else {
      throw InterfaceFault(.refused, name, unsafe String(cString: pcap_geterr(handle)))
    }
  }
}

extension InterfaceFault {
  /// - Parameter status: what `pcap_activate` returned.
  fileprivate init(status: Int32, _ name: String, _ words: String) {
    switch status {
    case PCAP_ERROR_NO_SUCH_DEVICE, PCAP_ERROR_IFACE_NOT_UP, PCAP_ERROR_PERM_DENIED:
      let code = [PCAP_ERROR_NO_SUCH_DEVICE: ENODEV, PCAP_ERROR_IFACE_NOT_UP: ENETDOWN][status] ?? EPERM
      self.init(code: code, name, "capture")
    default: self.init(.refused, name, "capture: \(words)")
    }
  }
}

/// libpcap's callback for each frame.
private func handOver(
  _ user: UnsafeMutablePointer<UInt8>?, _ header: UnsafePointer<pcap_pkthdr>?, _ bytes: UnsafePointer<UInt8>?
) {
  guard let user = unsafe user, let header = unsafe header, let bytes = unsafe bytes else { return }
  // Safety: `dispatch` passed the address of a handover. libpcap has mapped the ring for writing (it inserts
  // VLAN tags there itself), and it holds `caplen` bytes until this returns.
  unsafe UnsafeMutableRawPointer(user).withMemoryRebound(to: LiveCapture.Handover.self, capacity: 1) {
    handover in
    let frame = unsafe Frame(
      unsafeBase: UnsafeMutableRawPointer(mutating: bytes), count: Int(header.pointee.caplen))
    unsafe handover.pointee.receive(handover.pointee.receiver, frame, Int(header.pointee.len))
  }
}

/// The text of a C array.
private func text(_ characters: [CChar]) -> String {
  String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
