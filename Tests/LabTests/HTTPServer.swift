import Foundation
import Glibc

/// Bytes whose every part can be told: a million and three random ones, over and over.
struct Download {
  static let block: [UInt8] = {
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    while bytes.count < 1_000_003 { bytes.append(UInt8(truncatingIfNeeded: generator.next())) }
    return Array(bytes[..<1_000_003])
  }()

  /// Whether a file holds so many blocks and nothing else.
  static func isWhole(_ file: URL, blocks: Int) throws -> Bool {
    let handle = try FileHandle(forReadingFrom: file)
    defer { try? handle.close() }
    let expected = Data(block)
    for _ in 0..<blocks where try handle.read(upToCount: expected.count) != expected { return false }
    return try handle.read(upToCount: 1)?.isEmpty ?? true
  }
}

/// An HTTP/1.0 server for curl, a thread a connection. `GET /N` gives N blocks of the download; `PUT` takes
/// any number of blocks and answers `same` or `different`. The connection's port as the server sees it stands
/// in the header `X-Port`.
final class HTTPServer: Sendable {
  private let listener: PlainSocket

  /// Listens in the network namespace of the calling thread.
  init(port: UInt16) throws {
    listener = try PlainSocket.listener(port: port)
    let descriptor = listener.descriptor
    Thread.detachNewThread {
      while true {
        let connection = accept(descriptor, nil, nil)
        if connection >= 0 {
          Thread.detachNewThread { serve(connection) }
        } else if errno != EAGAIN && errno != EINTR {
          return
        }
      }
    }
  }

  // Closing alone would leave the accepting thread in its call.
  deinit { shutdown(listener.descriptor, Int32(SHUT_RDWR)) }
}

private func serve(_ connection: Int32) {
  defer { close(connection) }
  var received: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 18)
  func more() -> Bool {
    // Safety: the array has as many bytes.
    let count = unsafe recv(connection, &buffer, buffer.count, 0)
    if count > 0 { received += buffer[..<count] }
    return count > 0
  }
  func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      // Safety: the range lies in the array.
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(connection, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }
  let end = Array("\r\n\r\n".utf8)
  var split: Int?
  while split == nil, received.count < 65536, more() {
    split = (0...max(0, received.count - 4)).first { received[$0...].starts(with: end) }
  }
  guard let split else { return }
  let head = String(decoding: received[..<split], as: UTF8.self)
  let words = head.split(separator: " ")
  if words[0] == "GET", let blocks = Int(words[1].dropFirst()) {
    let length = blocks * Download.block.count
    guard send(Array("HTTP/1.0 200 OK\r\nContent-Length: \(length)\r\n\r\n".utf8)) else { return }
    for _ in 0..<blocks where !send(Download.block) { return }
  } else if words[0] == "PUT" {
    if head.contains("100-continue"), !send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) { return }
    let field = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
    var left = field.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    received.removeSubrange(..<(split + 4))
    var isSame = true
    while left > 0 {
      let wanted = min(left, Download.block.count)
      while received.count < wanted, more() {}
      guard received.count >= wanted else { return }
      if received[..<wanted] != Download.block[..<wanted] { isSame = false }
      received.removeSubrange(..<wanted)
      left -= wanted
    }
    _ = send(Array("HTTP/1.0 200 OK\r\n\r\n\(isSame ? "same" : "different")".utf8))
  }
}
