internal import CLinuxPacket
internal import CMNL
internal import Glibc

/// A netlink socket of the kernel's, for questions or for news.
@safe struct NetlinkSocket: ~Copyable, @unchecked Sendable {
  // Sendable: it has one owner, and nothing in it belongs to a thread.
  private let socket: OpaquePointer
  private let name: String

  /// Room for the largest part of an answer.
  private static let bufferSize = 1 << 16

  /// - Parameters:
  ///   - protocolNumber: `NETLINK_ROUTE` and the like.
  ///   - groups: whose news it hears; 0 for none.
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

  /// Lets the kernel look at what a question asks for, and answer no more than that; older ones answer with more.
  func askStrictly() {
    var one: Int32 = 1
    // NETLINK_GET_STRICT_CHK; what comes is looked through anyway.
    // Safety: the value has the size that is given.
    _ = unsafe mnl_socket_setsockopt(socket, 12, &one, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Asks a question and gives the messages of the whole answer.
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

  /// The next datagram, for which it waits; nil, and `errno`, where there is none.
  func receive() -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: NetlinkSocket.bufferSize)
    var count = -1
    repeat {
      // Safety: the array has as many bytes.
      count = unsafe mnl_socket_recvfrom(socket, &bytes, bytes.count)
    } while count < 0 && errno == EINTR
    return count < 0 ? nil : Array(bytes[..<count])
  }

  /// The next datagram, if there is one by now; nil, and `errno`, where there is none.
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
  /// Behind the header.
  let payload: [UInt8]

  /// The messages of a datagram in their order, as far as they are whole.
  static func forEach(in datagram: [UInt8], _ body: (NetlinkMessage) -> Void) {
    // Safety: libmnl looks whether the header and as many bytes as it names are there, before they are read.
    unsafe datagram.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      var next = unsafe start.assumingMemoryBound(to: nlmsghdr.self)
      var left = Int32(bytes.count)
      // libmnl takes a length of 2^31 and more for a negative one, which is less than what is left.
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

  /// A question: header, and what follows it.
  static func question(_ type: Int, flags: Int32, _ body: [UInt8]) -> [UInt8] {
    var header = nlmsghdr()
    header.nlmsg_len = UInt32(MemoryLayout<nlmsghdr>.size + body.count)
    header.nlmsg_type = UInt16(type)
    header.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
    header.nlmsg_seq = 1
    return bytes(of: header) + body
  }

  /// The bytes of a structure of the kernel's.
  static func bytes<Value: BitwiseCopyable>(of value: Value) -> [UInt8] {
    // Safety: the bytes are copied.
    unsafe withUnsafeBytes(of: value) { unsafe Array($0) }
  }

  var isDone: Bool { type == Int(NLMSG_DONE) }

  /// What the kernel says of a question that it does not answer; 0 for none.
  var errorCode: Int32? { type == Int(NLMSG_ERROR) ? -(read(Int32.self) ?? 0) : nil }

  /// The structure at the start of the payload; nil where that is too short.
  func read<Value: BitwiseCopyable>(_: Value.Type) -> Value? { NetlinkMessage.read(Value.self, payload) }

  static func read<Value: BitwiseCopyable>(_: Value.Type, _ bytes: [UInt8]) -> Value? {
    guard bytes.count >= MemoryLayout<Value>.size else { return nil }
    // Safety: as many bytes are there.
    return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Value.self) }
  }

  /// The attributes behind a structure of `offset` bytes, as far as they are whole.
  func attributes(behind offset: Int) -> [Int: [UInt8]] {
    payload.count < offset ? [:] : NetlinkMessage.attributes(in: Array(payload[offset...]))
  }

  /// Of several of one type the last.
  static func attributes(in bytes: [UInt8]) -> [Int: [UInt8]] {
    var found: [Int: [UInt8]] = [:]
    // Safety: libmnl looks whether the header and as many bytes as it names are there, before they are read.
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
