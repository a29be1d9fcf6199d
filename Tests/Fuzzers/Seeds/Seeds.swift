import Foundation
import FuzzerSupport
import NATCaptureFiles

/// Makes inputs for a fuzzer from captures: `fuzzer-seeds TARGET FOLDER CAPTURE...`
@main struct Seeds {
  /// What a fuzzer is given of a frame; super-frames are left out.
  private static let longestFrame = 1514

  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 3 else { fatalError("fuzzer-seeds TARGET FOLDER CAPTURE...") }
    var seeds: [[UInt8]] = []
    for path in arguments[3...] {
      let frames = try frames(of: path)
      switch arguments[1] {
      case "decoder": seeds += frames.map { [0] + $0 }
      case "quote": seeds += frames.compactMap { quote($0) }
      case "gateway": seeds.append(conversation(frames, isFromOutside: path.contains("outside")))
      default: fatalError("no fuzzer is called \(arguments[1])")
      }
    }
    if arguments[1] == "gateway" { seeds += Step.examples }
    for (number, seed) in Set(seeds).enumerated() {
      try Data(seed).write(to: URL(fileURLWithPath: arguments[2]).appending(path: "\(number)"))
    }
  }

  private static func frames(of path: String) throws -> [[UInt8]] {
    var reader = try CaptureReader(path: path)
    var frames: [[UInt8]] = []
    while case .record(let record) = reader.next() {
      // Safety: copied before the reader's next call.
      if unsafe record.bytes.count <= longestFrame { unsafe frames.append(Array(record.bytes)) }
    }
    return frames
  }

  /// An error that quotes a captured packet: nothing mended, type 3, code 1, no RFC 4884 length, other endpoints.
  private static func quote(_ frame: [UInt8]) -> [UInt8]? {
    guard let packet = PlainPacket(frame: frame) else { return nil }
    return [0, 0, 1, 0, 0, 0, 0, 192, 168, 1, 2, 0x13, 0x88, 198, 51, 100, 7, 0, 53]
      + frame[packet.start..<min(packet.end, packet.start + 128)]
  }

  /// The first frames of a capture as they came, a millisecond apart.
  private static func conversation(_ frames: [[UInt8]], isFromOutside: Bool) -> [UInt8] {
    [0, 0] + frames.prefix(12).flatMap { Step.raw($0, isFromOutside: isFromOutside) }
  }
}
