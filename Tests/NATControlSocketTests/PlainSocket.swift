import Foundation
import Glibc
import Testing

/// A stream socket of the test's own, with bounded waits, that knows nothing of HTTP.
///
/// Its waits are on threads of their own: the server that it waits for needs those of the tasks.
final class PlainSocket: Sendable {
  let descriptor: Int32

  struct Failure: Error { let description: String }

  /// A client of a Unix socket.
  static func connect(path: String) async throws -> PlainSocket {
    try await apart { Result { try PlainSocket(path: path) } }.get()
  }

  /// A client of 127.0.0.1.
  static func connect(port: Int) async throws -> PlainSocket {
    try await apart { Result { try PlainSocket(port: port) } }.get()
  }

  private convenience init(path: String) throws {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // Safety: the field is longer than the paths of these tests, and its last byte stays zero.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    // Safety: a sockaddr_un is passed as the sockaddr that it begins with, and with its own size.
    try self.init(AF_UNIX) { descriptor in
      unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe Glibc.connect(descriptor, $0, length)
        }
      }
    }
  }

  private convenience init(port: Int) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // Safety: a sockaddr_in is passed as the sockaddr that it begins with, and with its own size.
    try self.init(AF_INET) { descriptor in
      unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe Glibc.connect(descriptor, $0, length)
        }
      }
    }
  }

  private init(_ family: Int32, _ connect: (Int32) -> Int32) throws {
    descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(description: "no socket: error \(errno)") }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      // Safety: the option has its own size.
      _ = unsafe setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor) == 0 else { throw Failure(description: "cannot connect: error \(errno)") }
  }

  deinit { close(descriptor) }

  /// Whether all of it went out; the other end may close meanwhile.
  @discardableResult
  func send(_ bytes: some Collection<UInt8>) async -> Bool {
    let bytes = Array(bytes)
    return await PlainSocket.apart { self.sendNow(bytes) }
  }

  private static func apart<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread { continuation.resume(returning: body()) }
    }
  }

  private func sendNow(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      // Safety: the range lies inside the array, which lives for the call.
      let count = unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.send(descriptor, all.baseAddress! + done, all.count - done, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  @discardableResult
  func send(_ text: String) async -> Bool { await send(Array(text.utf8)) }

  /// What arrives next; empty at the end or after the wait's bound.
  func receive() async -> [UInt8] { await PlainSocket.apart { self.receiveNow() } }

  private func receiveNow() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65536)
    // Safety: the buffer lives for the call.
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
    return Array(bytes.prefix(max(0, count)))
  }

  /// Everything until the other end closes, at most `limit` bytes.
  func receiveAll(limit: Int = 1 << 26) async -> String {
    var all: [UInt8] = []
    while all.count < limit {
      let bytes = await receive()
      if bytes.isEmpty { break }
      all += bytes
    }
    return String(decoding: all, as: UTF8.self)
  }

  /// Until `text` has arrived.
  func receive(until text: String) async -> String {
    var all: [UInt8] = []
    while !String(decoding: all, as: UTF8.self).contains(text) {
      let bytes = await receive()
      if bytes.isEmpty { break }
      all += bytes
    }
    return String(decoding: all, as: UTF8.self)
  }

  /// Sends a request that asks for the end of the connection, and returns the status and the body.
  func ask(_ head: String, body: String = "") async -> (status: Int, body: String) {
    await send(
      "\(head) HTTP/1.1\r\nhost: portico\r\nconnection: close\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    )
    return PlainSocket.parts(await receiveAll())
  }

  /// The status and the body of an answer that is not sent in chunks.
  static func parts(_ answer: String) -> (status: Int, body: String) {
    let words = answer.split(separator: " ", maxSplits: 2)
    let status = words.count > 1 && words[0] == "HTTP/1.1" ? Int(words[1]) ?? 0 : 0
    let halves = answer.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    return (status, halves.count > 1 ? String(halves[1]) : "")
  }
}
