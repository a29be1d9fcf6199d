import NATCaptureFiles
import NATWire
import TestSupport

/// A record, copied out of its reader.
struct CopiedRecord: Equatable {
  var bytes: [UInt8]
  var wireLength: Int
  /// Nanoseconds.
  var stamp: UInt64

  init(_ record: CapturedRecord) {
    // Safety: copied before the reader's next call.
    bytes = unsafe Array(record.bytes)
    wireLength = record.wireLength
    stamp = record.stamp.nanoseconds
  }

  init(_ bytes: [UInt8], wireLength: Int? = nil, stamp: UInt64) {
    self.bytes = bytes
    self.wireLength = wireLength ?? bytes.count
    self.stamp = stamp
  }
}

/// Reads a capture to its end, or to its damage.
func readEverything(_ path: String) throws(CaptureFault) -> (records: [CopiedRecord], damage: CaptureDamage?)
{
  var reader = try CaptureReader(path: path)
  var records: [CopiedRecord] = []
  while true {
    switch reader.next() {
    case .record(let record): records.append(CopiedRecord(record))
    case .end: return (records, nil)
    case .damaged(let damage): return (records, damage)
    }
  }
}

/// What opening a capture complains about.
func faultOfOpening(_ path: String) -> CaptureFault? {
  do {
    _ = try CaptureReader(path: path)
    return nil
  } catch { return error }
}

extension CaptureWriter {
  mutating func append(_ frame: [UInt8], at nanoseconds: UInt64) throws(CaptureWriteFault) {
    // Safety: the bytes are copied by the call.
    try unsafe frame.withUnsafeBufferPointer { (bytes) throws(CaptureWriteFault) in
      try unsafe append(UnsafeRawBufferPointer(bytes), at: Instant(nanoseconds: nanoseconds))
    }
  }
}
