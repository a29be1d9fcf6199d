// NATCaptureFiles: pcap and pcapng files.
//
// - `CaptureReader` reads a file record by record through libpcap. A damaged file ends with a `CaptureDamage`
//   after its good records.
// - `CaptureMerge` reads the captures of both sides as one sequence, ordered by time.
// - `CaptureWriter` writes a pcap file. Only its `close()` reports whether the file is complete.
// - `FileIdentity` tells whether an output would overwrite an input.
//
// Add up the bytes on the wire of a capture:
//
// ```swift
// var reader = try CaptureReader(path: path)
// var total = 0
// reading: while true {
//   switch reader.next() {
//   case .record(let record): total += record.wireLength
//   case .damaged(let damage):
//     print(damage)
//     break reading
//   case .end: break reading
//   }
// }
// ```
