import CLinuxPacket
import Glibc
import NATKernel
import NATLab
import NATLiveIO
import NATWire
import TestSupport

/// A socket of the kernel's own stack, or a raw one, with bounded waits.
struct PlainSocket: ~Copyable {
  let descriptor: Int32

  private init(_ descriptor: Int32) throws {
    guard descriptor >= 0 else { throw LabFailure(description: "no socket: error \(errno)") }
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    // Safety: the option has its own size.
    _ = unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  static func udp(port: UInt16) throws -> PlainSocket {
    let made = try PlainSocket(socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    try made.bind(port: port)
    return made
  }

  /// For echo messages: hears all ICMP of its namespace, behind IPv4 headers.
  static func icmp() throws -> PlainSocket {
    try PlainSocket(
      socket(AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_ICMP)))
  }

  static func listener(port: UInt16) throws -> PlainSocket {
    let made = try PlainSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    try made.bind(port: port)
    guard listen(made.descriptor, 8) == 0 else { throw LabFailure(description: "listen: error \(errno)") }
    return made
  }

  /// A stream that leaves from a port which others to elsewhere may share.
  static func stream(port: UInt16, to host: [UInt8], _ remote: UInt16) throws -> PlainSocket {
    let made = try PlainSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    var yes: Int32 = 1
    // Safety: the option has its own size.
    _ = unsafe setsockopt(
      made.descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    try made.bind(port: port)
    try made.connect(to: host, remote)
    return made
  }

  /// From here on, only datagrams of this peer's arrive.
  func connect(to host: [UInt8], _ port: UInt16) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = IPv4Address(host[0], host[1], host[2], host[3]).rawValue.bigEndian
    try unsafe PlainSocket.with(&address) {
      guard unsafe Glibc.connect(descriptor, $0, $1) == 0 else {
        throw LabFailure(description: "connect to port \(port): error \(errno)")
      }
    }
  }

  func accept() throws -> PlainSocket {
    try PlainSocket(Glibc.accept(descriptor, nil, nil))
  }

  private func bind(port: UInt16) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    try unsafe PlainSocket.with(&address) {
      guard unsafe Glibc.bind(descriptor, $0, $1) == 0 else {
        throw LabFailure(description: "bind to port \(port): error \(errno)")
      }
    }
  }

  @discardableResult
  func send(_ bytes: [UInt8], to host: [UInt8], _ port: UInt16) throws -> Int {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = IPv4Address(host[0], host[1], host[2], host[3]).rawValue.bigEndian
    return try unsafe PlainSocket.with(&address) { unsafe sendto(descriptor, bytes, bytes.count, 0, $0, $1) }
  }

  /// What arrives next, at most `count` bytes; nil after ten seconds of nothing.
  func receive(atMost count: Int = 65536) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    // Safety: the array has as many bytes.
    let length = unsafe recv(descriptor, &bytes, count, 0)
    return length < 0 ? nil : Array(bytes[..<length])
  }

  /// A datagram and who sent it; ten seconds of nothing are a failure.
  func receiveDatagram() throws -> (data: [UInt8], host: [UInt8], port: UInt16) {
    var bytes = [UInt8](repeating: 0, count: 65536)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // Safety: the array and the address are as large as said, and live during the call.
    let count = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe recvfrom(descriptor, &bytes, 65536, 0, $0, &length)
      }
    }
    guard count >= 0 else { throw LabFailure(description: "no datagram: error \(errno)") }
    let host = UInt32(bigEndian: address.sin_addr.s_addr)
    return (Array(bytes[..<count]), big(host), UInt16(bigEndian: address.sin_port))
  }

  /// The octet of DSCP and ECN that datagrams leave with.
  func setTypeOfService(_ value: UInt8) {
    var option = Int32(value)
    // Safety: the option has its own size.
    _ = unsafe setsockopt(
      descriptor, Int32(IPPROTO_IP), IP_TOS, &option, socklen_t(MemoryLayout<Int32>.size))
  }

  /// What arrives within so many seconds.
  func receive(within seconds: Double) -> [UInt8]? { isReadable(within: seconds) ? receive() : nil }

  /// Whether something arrives within so many seconds: a datagram, a connection, or the end of one.
  func isReadable(within seconds: Double) -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // Safety: one descriptor, as said.
    return unsafe poll(&wait, 1, Int32(seconds * 1000)) == 1
  }

  /// Exactly so many bytes of a stream, fewer when it ends or pauses for ten seconds.
  func receive(exactly count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = receive(atMost: count - bytes.count), !more.isEmpty {
      bytes += more
    }
    return bytes
  }

  /// A raw socket on an interface that gets every frame there, or those of an Ethernet type, or sends frames.
  static func raw(_ facts: InterfaceFacts, protocolNumber: UInt16 = 0x0003) throws -> PlainSocket {
    let kind = protocolNumber.bigEndian
    let made = try PlainSocket(
      socket(AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(kind)))
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_ifindex = facts.index
    address.sll_protocol = kind
    try unsafe with(&address) {
      guard unsafe Glibc.bind(made.descriptor, $0, $1) == 0 else {
        throw LabFailure(description: "bind to \(facts.name): error \(errno)")
      }
    }
    return made
  }

  func sendFrame(_ frame: [UInt8]) throws {
    // Safety: the array has as many bytes.
    let sent = unsafe Glibc.send(descriptor, frame, frame.count, 0)
    guard sent == frame.count else {
      throw LabFailure(description: "a frame of \(frame.count) bytes is not sent: error \(errno)")
    }
  }

  @unsafe private static func with<Address, Result>(
    _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) throws -> Result {
    // Safety: the address lives during the call.
    try unsafe withUnsafePointer(to: &address) { pointer in
      try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try unsafe body($0, socklen_t(MemoryLayout<Address>.size))
      }
    }
  }
}

/// Collects what a capture hands over.
struct Collector: FrameReceiver {
  var frames: [[UInt8]] = []
  var wireLengths: [Int] = []

  mutating func receive(_ frame: Frame, wireLength: Int) {
    // Safety: the bytes are copied during the call.
    frames.append(unsafe Array(frame.unsafeBytes))
    wireLengths.append(wireLength)
  }

  /// Receives until there are so many frames, for ten seconds at most.
  mutating func receive(_ count: Int, from capture: inout LiveCapture) throws {
    for _ in 0..<2000 where frames.count < count {
      if try capture.receive(into: &self, limit: 64) == 0 { usleep(5000) }
    }
  }
}

extension Transmitter {
  /// Sends frames as one batch.
  mutating func send(_ frames: [[UInt8]], largestPacket: Int = .max) {
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: frames.reduce(8) { $0 + $1.count }, alignment: 8)
    defer { unsafe memory.deallocate() }
    var offset = 0
    for frame in frames {
      // Safety: the memory holds all frames, one behind the other, until the flush is over.
      let place = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + frame.count])
      unsafe place.copyBytes(from: frame)
      let copy = unsafe Frame(unsafeBase: place.baseAddress!, count: frame.count)
      add(copy, copy.decodedFacts, largestPacket: largestPacket)
      offset += frame.count
    }
    flush()
  }
}

extension Frame {
  /// What decoding learns about it.
  var decodedFacts: FrameFacts {
    var packet = Packet(frame: self)
    guard case .ipv4 = Packet.decode(self, link: .ethernet, wireLength: count, into: &packet) else {
      return .arp
    }
    return packet.facts
  }
}
