internal import Glibc

/// Writes all bytes, across signals and short writes.
/// - Returns: 0, or the error number.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
  var done = 0
  while done < bytes.count {
    // Safety: the range is inside the buffer.
    let count = unsafe write(descriptor, bytes.baseAddress! + done, bytes.count - done)
    if count >= 0 {
      done += count
    } else if errno != EINTR {
      return errno
    }
  }
  return 0
}

/// Writes all bytes, across signals and short writes.
/// - Returns: 0, or the error number.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
  // Safety: the array lives for the call.
  unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
}
