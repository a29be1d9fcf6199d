import NATCaptureFiles
import TestSupport
import Testing

/// The example of the module's opening page, which ModuleExampleTests compares with it.
@Suite struct NATCaptureFilesExample {
  @Test("the example of NATCaptureFiles reads a capture")
  func example() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("empty.pcap")
    try CaptureWriter(path: path).close()
    var reader = try CaptureReader(path: path)
    var total = 0
    reading: while true {
      switch reader.next() {
      case .record(let record): total += record.wireLength
      case .damaged(let damage):
        print(damage)
        break reading
      case .end: break reading
      }
    }
    #expect(total == 0)
  }
}
