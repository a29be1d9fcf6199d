import NATComposition
import NATConfiguration
import NATControl
import NATEngine
import NATGateway
import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATDaemon
@testable import NATTable

/// What a recorder keeps of what a gateway gets.
@Suite struct RecorderTests {
  /// A gateway in a pipeline without interfaces, and packets for it.
  private struct Stage: ~Copyable {
    var pipeline: Pipeline
    private let store = CounterStore()

    init() throws {
      let configuration = try Configuration.parse(Bench.interfacesText, file: "portico.yaml")
      pipeline = Pipeline(
        Gateway(GatewaySettings(configuration), counters: store.counters, random: RandomSource(seed: 1)))
    }

    /// Half seconds.
    static func at(_ halves: UInt64) -> Instant { Instant(nanoseconds: (100 + halves) * 500_000_000) }

    mutating func record(_ settings: Recorder.Settings?, at now: Instant) -> Recording {
      pipeline.record(settings, with: .on, at: now)
    }

    mutating func receive(_ bytes: [UInt8], longerBy more: Int = 0, at halves: UInt64) {
      pipeline.begin(InterfaceIndex(.inside), at: Stage.at(halves))
      var bytes = bytes
      // Safety: the frame is read within the call.
      unsafe bytes.withUnsafeMutableBytes {
        unsafe pipeline.receive(
          Frame(unsafeBase: $0.baseAddress!, count: $0.count), wireLength: $0.count + more)
      }
    }
  }

  /// From 192.168.1.2 to 198.51.100.7.
  private static func frame(_ protocolNumber: UInt8, _ segment: [UInt8]) -> [UInt8] {
    let packet = PacketBuilder("192.168.1.2", "198.51.100.7", .other(protocolNumber, segment))
    return EthernetFrame.bytes(to: EthernetFrame.gatewayInside, from: [2, 0, 0, 0, 0, 2], packet.bytes)
  }

  /// UDP without a checksum.
  private static func udp(port: UInt8, payload: Int = 30) -> [UInt8] {
    frame(
      17,
      [0x13, port, 0, 80, 0, UInt8(8 + payload), 0, 0] + [UInt8](repeating: 0xAB, count: payload))
  }

  private static func frames(of stretch: RecordedStretch) -> [(bytes: [UInt8], wireLength: Int)] {
    var frames: [(bytes: [UInt8], wireLength: Int)] = []
    stretch.forEach { frame, wireLength, _, _ in
      frames.append((frame.bytes, wireLength))
    }
    return frames
  }

  private static let second = Recorder.Settings(keepsHeaders: false, span: 1_000_000_000, bytes: 1 << 16)

  @Test("three stretches of time are kept, the last ones, each with the table as it stood when it began")
  func stretches() throws {
    var stage = try Stage()
    _ = stage.record(Self.second, at: Stage.at(0))
    for halves in 0..<9 as Range<UInt64> {
      stage.receive(Self.udp(port: UInt8(halves)), at: halves)
      stage.pipeline.flush()
    }
    let recording = stage.record(nil, at: Stage.at(9))
    // They begin with the frames 0, 2, 4, 6 and 8; two have been forgotten.
    #expect(recording.stretches.map(\.table.clock) == [Stage.at(4), Stage.at(6), Stage.at(8)])
    #expect(recording.stretches.map(\.table.walk.counts.sessions) == [4, 6, 8])
    let ports = recording.stretches.map { Self.frames(of: $0).map { $0.bytes[35] } }
    #expect(ports == [[4, 5], [6, 7], [8]])
    #expect(recording.after.walk.counts.sessions == 9 && recording.lastFrame == Stage.at(8))
  }

  @Test("a stretch whose memory is full ends, and the next one's table has what its frames made")
  func memory() throws {
    var stage = try Stage()
    // A frame of 72 bytes takes 88; there must be room for its end.
    let settings = Recorder.Settings(keepsHeaders: false, span: 3_600_000_000_000, bytes: 8192)
    _ = stage.record(settings, at: Stage.at(0))
    // All in one batch, but for what the recorder makes the gateway do.
    for port in 0..<200 as Range<UInt8> { stage.receive(Self.udp(port: port), at: 1) }
    let recording = stage.record(nil, at: Stage.at(2))
    let counts = recording.stretches.map(\.frameCount)
    let most = counts[0]
    #expect((8192 - 4096) / 88 <= most && most <= 8192 / 88)
    #expect(counts == [most, most, 200 - 2 * most])
    #expect(recording.stretches.map(\.table.walk.counts.sessions) == [0, most, 2 * most])
  }

  @Test("of headers there is nothing behind those of TCP and UDP, and the length on the wire stays")
  func headers() throws {
    var stage = try Stage()
    _ = stage.record(
      Recorder.Settings(keepsHeaders: true, span: 3_600_000_000_000, bytes: 1 << 16), at: Stage.at(0))
    let payload = [UInt8](repeating: 0xAB, count: 100)
    // A data offset of 8 words: 12 bytes of options.
    let tcp: [UInt8] =
      [0x13, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x80, 2, 0xFF, 0xFF, 0, 0, 0, 0] + [2, 4, 5, 0xB4]
      + [UInt8](repeating: 1, count: 8)
    let echo: [UInt8] = [8, 0, 0, 0, 0, 1, 0, 1]
    let frames = [
      Self.udp(port: 1, payload: 100), Self.frame(6, tcp + payload), Self.frame(1, echo + payload),
    ]
    for frame in frames { stage.receive(frame, longerBy: 9, at: 1) }
    let recording = stage.record(nil, at: Stage.at(2))
    let kept = Self.frames(of: recording.stretches[0])
    #expect(kept.map(\.bytes.count) == [14 + 20 + 8, 14 + 20 + 32, 64])
    #expect(kept.map(\.wireLength) == frames.map { $0.count + 9 })
    for (kept, frame) in zip(kept, frames) { #expect(kept.bytes == Array(frame.prefix(kept.bytes.count))) }
  }

  @Test("what was recorded does not tell which ports come next")
  func secret() throws {
    var stage = try Stage()
    _ = stage.record(Self.second, at: Stage.at(0))
    stage.receive(Self.udp(port: 1), at: 1)
    let recording = stage.record(Self.second, at: Stage.at(2))
    let told = try #require(recording.after.random)
    let next = stage.pipeline.gateway.translator.random
    #expect(told.key0 != next.key0 && told.key1 != next.key1)
    // The next recording begins with the keys that hold from now on.
    let again = stage.record(nil, at: Stage.at(3))
    #expect(again.stretches[0].table.random?.key0 == next.key0)
    #expect(stage.pipeline.gateway.translator.random.key0 != next.key0)
  }
}
