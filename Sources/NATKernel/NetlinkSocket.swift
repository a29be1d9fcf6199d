internal import CLinuxPacket
internal import CMNL
internal import Glibc

/// A netlink socket: for requests, or for notifications of multicast groups.
@safe struct NetlinkSocket: ~Copyable, @unchecked Sendable {
  // Sendable: it has one owner, and nothing in it belongs to a thread.
  private let socket: OpaquePointer
  private let name: String

  /// Bytes of the largest datagram of an answer.
  private static let bufferSize = 1 << 16

  /// - Parameters:
  ///   - protocolNumber: `NETLINK_ROUTE` and the like.
  ///   - groups: a mask of the multicast groups to join.
  ///   - name: for faults.
  init(_ protocolNumber: Int32, groups: UInt32 = 0, name: String) throws(InterfaceFault) {
    // Safety: closed in deinit, or below.
    guard let opened = unsafe mnl_socket_open2(protocolNumber, Int32(SOCK_CLOEXEC.rawValue)) else {
      throw InterfaceFault(code: errno, name, "netlink")
    }
    guard unsafe mnl_socket_bind(opened, groups, 0) == 0 else {
      let code = errno
      unsafe mnl_socket_close(opened)
      throw InterfaceFault(code: code, name, "netlink bind")
    }
    unsafe socket = opened
    self.name = name
  }

  // Safety: owned, closed once.
  deinit { unsafe mnl_socket_close(socket) }

  var descriptor: Int32 { unsafe mnl_socket_get_fd(socket) }

  /// Makes the kernel (4.20 and later) filter a dump by the request's fields. Older kernels answer with more.
  func askStrictly() {
    var one: Int32 = 1
    // NETLINK_GET_STRICT_CHK. Callers check each message anyway.
    // Safety: the value has the size that is given.
    _ = unsafe mnl_socket_setsockopt(socket, 12, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends a request and passes each message of the answer to `body`, up to NLMSG_DONE, error or
  /// acknowledgement.
  func ask(_ question: [UInt8], _ body: (NetlinkMessage) -> Void) throws(InterfaceFault) {
    // Safety: the array has as many bytes.
    let sent = unsafe question.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
    guard sent == question.count else { throw InterfaceFault(code: errno, name, "netlink") }
    var isDone = false
    while !isDone {
      guard let bytes = receive() else { throw InterfaceFault(code: errno, name, "netlink answer") }
      var failure: Int32 = 0
      NetlinkMessage.forEach(in: bytes) { message in
        if message.isDone { isDone = true }
        if let code = message.errorCode {
          isDone = true
          failure = code
        }
        body(message)
      }
      if failure != 0 { throw InterfaceFault(code: failure, name, "netlink") }
    }
  }

  /// Waits for the next datagram; nil and `errno` on failure.
  func receive() -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: NetlinkSocket.bufferSize)
    var count = -1
    repeat {
      // Safety: the array has as many bytes.
      count = unsafe mnl_socket_recvfrom(socket, &bytes, bytes.count)
    } while count < 0 && errno == EINTR
    return count < 0 ? nil : Array(bytes[..<count])
  }

  /// The next datagram, without waiting; nil and `errno` if there is none.
  func receiveNow() -> [UInt8]? {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    errno = EAGAIN
    // Safety: one descriptor.
    guard unsafe poll(&wait, 1, 0) == 1 else { return nil }
    return receive()
  }
}

/// One message of a netlink datagram.
struct NetlinkMessage {
  let type: Int
  let flags: UInt16
  /// The bytes after the header.
  let payload: [UInt8]

  /// Passes the messages of a datagram to `body`, in order, up to the first damaged one.
  static func forEach(in datagram: [UInt8], _ body: (NetlinkMessage) -> Void) {
    // Safety: libmnl checks that the header and the length in it fit, before they are read.
    unsafe datagram.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      var next = unsafe start.assumingMemoryBound(to: nlmsghdr.self)
      var left = Int32(bytes.count)
      // libmnl reads a length of 2^31 or more as negative, so it needs a check of its own.
      while unsafe mnl_nlmsg_ok(next, left) && next.pointee.nlmsg_len <= UInt32(left) {
        guard let payload = unsafe mnl_nlmsg_get_payload(next) else { return }
        let count = unsafe mnl_nlmsg_get_payload_len(next)
        body(
          NetlinkMessage(
            type: unsafe Int(next.pointee.nlmsg_type), flags: unsafe next.pointee.nlmsg_flags,
            payload: unsafe Array(UnsafeRawBufferPointer(start: payload, count: count))))
        guard let following = unsafe mnl_nlmsg_next(next, &left) else { return }
        unsafe next = UnsafePointer(following)
      }
    }
  }

  /// A request: header and body.
  static func question(_ type: Int, flags: Int32, _ body: [UInt8]) -> [UInt8] {
    var header = nlmsghdr()
    header.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + body.count)
    header.nlmsg_type = UInt16(type)
    header.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
    header.nlmsg_seq = 1
    return bytes(of: header) + body
  }

  /// The bytes of a kernel structure.
  static func bytes<Value: BitwiseCopyable>(of value: Value) -> [UInt8] {
    // Safety: the bytes are copied.
    unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
  }

  var isDone: Bool { type == Int(NLMSG_DONE) }

  /// The error number of an NLMSG_ERROR message; 0 for an acknowledgement.
  var errorCode: Int32? { type == Int(NLMSG_ERROR) ? -(read(Int32.self) ?? 0) : nil }

  /// The structure at the start of the payload; nil if the payload is too short.
  func read<Value: BitwiseCopyable>(_: Value.Type) -> Value? { NetlinkMessage.read(Value.self, payload) }

  static func read<Value: BitwiseCopyable>(_: Value.Type, _ bytes: [UInt8]) -> Value? {
    guard bytes.count >= MemoryLayout<Value>.size else { return nil }
    // Safety: as many bytes are there.
    return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Value.self) }
  }

  /// The attributes after a structure of `offset` bytes, by type, up to the first damaged one.
  func attributes(behind offset: Int) -> [Int: [UInt8]] {
    payload.count < offset ? [:] : NetlinkMessage.attributes(in: Array(payload[offset...]))
  }

  /// The last attribute of each type.
  static func attributes(in bytes: [UInt8]) -> [Int: [UInt8]] {
    var found: [Int: [UInt8]] = [:]
    // Safety: libmnl checks that the header and the length in it fit, before they are read.
    unsafe bytes.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      var offset = 0
      while offset + MemoryLayout<nlattr>.size <= bytes.count {
        let attribute = unsafe (start + offset).assumingMemoryBound(to: nlattr.self)
        guard unsafe mnl_attr_ok(attribute, Int32(bytes.count - offset)),
          let payload = unsafe mnl_attr_get_payload(attribute)
        else { return }
        let count = unsafe Int(mnl_attr_get_payload_len(attribute))
        unsafe found[Int(mnl_attr_get_type(attribute))] = Array(
          UnsafeRawBufferPointer(start: payload, count: count))
        offset += unsafe (Int(mnl_attr_get_len(attribute)) + 3) & ~3
      }
    }
    return found
  }
}
