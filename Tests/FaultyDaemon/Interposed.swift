import CLinuxPacket
import CPcap
import Glibc
import Synchronization

// What the linker puts in the place of the libraries' functions.

/// A copy of a frame as libpcap hands it over.
struct HeldFrame: Sendable {
  let seconds: Int
  let microseconds: Int
  let length: UInt32
  var bytes: [UInt8]

  @unsafe init(_ header: UnsafePointer<pcap_pkthdr>, _ bytes: UnsafePointer<UInt8>) {
    // Safety: libpcap hands over `caplen` bytes.
    seconds = unsafe header.pointee.ts.tv_sec
    microseconds = unsafe header.pointee.ts.tv_usec
    length = unsafe header.pointee.len
    self.bytes = unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(header.pointee.caplen)))
  }
}

/// On whose behalf frames are relayed.
@unsafe private struct Relay {
  let capture: UInt
  let callback: pcap_handler
  let user: UnsafeMutablePointer<UInt8>?

  func deliver(_ header: UnsafePointer<pcap_pkthdr>, _ bytes: UnsafePointer<UInt8>) {
    let isIPv4 = unsafe header.pointee.caplen >= 14 && bytes[12] == 8 && bytes[13] == 0
    CaptureFaults.shared.withLock { $0?.count(delivered: isIPv4) }
    unsafe callback(user, header, bytes)
  }

  func deliver(_ frame: HeldFrame) {
    var header = pcap_pkthdr()
    header.ts = timeval(tv_sec: frame.seconds, tv_usec: frame.microseconds)
    header.caplen = UInt32(frame.bytes.count)
    header.len = frame.length
    var bytes = frame.bytes
    // Safety: both live for the call, and the daemon may change the bytes.
    unsafe bytes.withUnsafeMutableBufferPointer { unsafe deliver(&header, UnsafePointer($0.baseAddress!)) }
  }

  /// Those that are late enough.
  func deliverLate(isIdle: Bool) -> Int32 {
    let frames = CaptureFaults.shared.withLock { unsafe $0?.due(of: capture, isIdle: isIdle) } ?? []
    for frame in frames { unsafe deliver(frame) }
    return Int32(frames.count)
  }
}

private typealias Dispatch =
  @convention(c) (OpaquePointer?, Int32, pcap_handler?, UnsafeMutablePointer<UInt8>?) -> Int32
private typealias SendMessages =
  @convention(c) (Int32, UnsafeMutablePointer<portico_message>?, UInt32, Int32) -> Int32
private typealias Poll = @convention(c) (UnsafeMutablePointer<pollfd>?, UInt, Int32) -> Int32

/// The functions of the libraries.
private enum Real {
  // Safety: a function of that name has the type that its manual page gives it.
  static let dispatch = unsafe unsafeBitCast(symbol("pcap_dispatch"), to: Dispatch.self)
  static let sendMessages = unsafe unsafeBitCast(symbol("sendmmsg"), to: SendMessages.self)
  static let poll = unsafe unsafeBitCast(symbol("poll"), to: Poll.self)

  private static func symbol(_ name: String) -> UnsafeMutableRawPointer {
    // RTLD_NEXT: behind this program.
    guard let found = unsafe dlsym(UnsafeMutableRawPointer(bitPattern: -1), name) else {
      fatalError("no function \(name)")
    }
    return unsafe found
  }
}

@_cdecl("pcap_dispatch")
func faultyDispatch(
  _ handle: OpaquePointer?, _ limit: Int32, _ callback: pcap_handler?, _ user: UnsafeMutablePointer<UInt8>?
) -> Int32 {
  guard let callback = unsafe callback else { return unsafe Real.dispatch(handle, limit, nil, user) }
  CallFaults.isWorker = true
  var relay = unsafe Relay(capture: UInt(bitPattern: handle), callback: callback, user: user)
  // Safety: the relay lives for the call.
  return unsafe withUnsafeMutableBytes(of: &relay) { bytes in
    let place = unsafe bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
    let count = unsafe Real.dispatch(handle, limit, relayFrame, place)
    guard count == 0 else { return count }
    return unsafe bytes.baseAddress!.assumingMemoryBound(to: Relay.self).pointee.deliverLate(isIdle: true)
  }
}

/// libpcap's callback for each frame.
private func relayFrame(
  _ user: UnsafeMutablePointer<UInt8>?, _ header: UnsafePointer<pcap_pkthdr>?, _ bytes: UnsafePointer<UInt8>?
) {
  guard let user = unsafe user, let header = unsafe header, let bytes = unsafe bytes else { return }
  // Safety: `faultyDispatch` gave the address of a relay; libpcap gives `caplen` bytes.
  let relay = unsafe UnsafeRawPointer(user).assumingMemoryBound(to: Relay.self).pointee
  let length = unsafe Int(header.pointee.caplen)
  let isIPv4 = unsafe length >= 14 && bytes[12] == 8 && bytes[13] == 0
  switch CaptureFaults.shared.withLock({ $0?.fate(length: length, isIPv4: isIPv4) }) ?? .pass {
  case .pass: unsafe relay.deliver(header, bytes)
  case .lose: break
  case .duplicate:
    // The daemon rewrites a frame where it lies.
    let copy = unsafe HeldFrame(header, bytes)
    unsafe relay.deliver(header, bytes)
    unsafe relay.deliver(copy)
  case .delay(let count):
    let copy = unsafe HeldFrame(header, bytes)
    CaptureFaults.shared.withLock { unsafe $0?.keep(copy, behind: count, of: relay.capture) }
  case .truncate(let count, let isOnTheWire):
    var cut = unsafe header.pointee
    cut.caplen = UInt32(count)
    if isOnTheWire { cut.len = UInt32(count) }
    unsafe relay.deliver(&cut, bytes)
  }
  _ = unsafe relay.deliverLate(isIdle: false)
}

@_cdecl("sendmmsg")
func faultySendMessages(
  _ socket: Int32, _ messages: UnsafeMutablePointer<portico_message>?, _ count: UInt32, _ flags: Int32
) -> Int32 {
  let answer = CallFaults.shared.withLock { $0?.answer(messages: Int(count)) } ?? .takes(Int(count))
  switch answer {
  case .fails(let code):
    errno = code
    return -1
  case .takes(let most):
    let sent = unsafe Real.sendMessages(socket, messages, UInt32(most), flags)
    let code = errno
    for index in 0..<max(0, Int(sent)) {
      // Safety: the second vector of each message that was sent is an Ethernet frame.
      let frame = unsafe messages![index].header.msg_iov[1]
      let type = unsafe frame.iov_base.loadUnaligned(fromByteOffset: 12, as: UInt16.self)
      CallFaults.shared.withLock { $0?.count(sent: UInt16(bigEndian: type) == 0x0800) }
    }
    errno = code
    return sent
  }
}

@_cdecl("poll")
func faultyPoll(_ descriptors: UnsafeMutablePointer<pollfd>?, _ count: UInt, _ timeout: Int32) -> Int32 {
  // Others than the packet path are not meant.
  if CallFaults.isWorker, CallFaults.shared.withLock({ $0?.interruptsWait() }) == true {
    errno = EINTR
    return -1
  }
  return unsafe Real.poll(descriptors, count, timeout)
}
