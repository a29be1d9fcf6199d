import NATWire
import Testing

@testable import NATMemory
@testable import NATTable

/// How the keyed hash spreads what networks really carry: neighbouring addresses and ports.
@Suite struct KeyHashTests {
  /// The keys of one shape, made by number.
  struct Shape: CustomTestStringConvertible {
    let testDescription: String
    let hash: @Sendable (KeyHash, Int) -> UInt64
  }

  static let shapes = [
    Shape(testDescription: "ports of one host after another") { hash, number in
      hash.ofPrivate(.tcp, Endpoint(IPv4Address(0xC0A8_0102 + UInt32(number >> 16)), UInt16(number & 0xFFFF)))
    },
    Shape(testDescription: "one port of many hosts") { hash, number in
      hash.ofPrivate(.udp, Endpoint(IPv4Address(0x0A00_0001 + UInt32(number)), 5060))
    },
    Shape(testDescription: "a thousand ports of each host") { hash, number in
      hash.ofPrivate(
        .tcp, Endpoint(IPv4Address(0x0A00_0001 + UInt32(number / 1000)), UInt16(40000 + number % 1000)))
    },
    Shape(testDescription: "sessions of neighbouring bindings with one server") { hash, number in
      hash.ofSession(BindingIndex(65536 + number), Endpoint(IPv4Address(0x5DB8_D822), 443))
    },
    Shape(testDescription: "sessions of one binding with neighbouring servers") { hash, number in
      hash.ofSession(BindingIndex(70000), Endpoint(IPv4Address(0x5DB8_0000 + UInt32(number)), 53))
    },
    Shape(testDescription: "sessions of one binding with the ports of one server") { hash, number in
      hash.ofSession(
        BindingIndex(70000),
        Endpoint(IPv4Address(0x5DB8_D822 + UInt32(number >> 16)), UInt16(number & 0xFFFF)))
    },
    Shape(testDescription: "addresses in a row") { hash, number in
      hash.ofAddress(IPv4Address(0x0A00_0000 + UInt32(number)))
    },
  ]

  /// At seven slots of ten in use 5.6 entries come to a bucket of eight; if they come at random (Poisson), 5 % find
  /// it full.
  @Test("the load of the buckets is not above what chance gives, and no insertion fails", arguments: shapes)
  func bucketLoads(shape: Shape) {
    let capacity = 20_000
    var keys = RandomSource(seed: 2024)
    for _ in 0..<24 {
      let hash = KeyHash(from: &keys)
      let memory = MappedMemory(byteCount: HashIndex.byteCount(capacity: capacity))
      let index = HashIndex(memory: memory, capacity: capacity)
      var loads = [Int](repeating: 0, count: index.bucketCount)
      var isIndexed = true
      for number in 0..<capacity {
        let value = shape.hash(hash, number)
        loads[index.home(value)] += 1
        isIndexed = index.insert(value, record: UInt32(number)) && isIndexed
      }
      let beyond = loads.reduce(0) { $0 + max(0, $1 - 8) }
      let key = "keys \(hash.first), \(hash.second)"
      #expect(Double(beyond) / Double(capacity) < 0.06, "\(beyond) beyond their bucket; \(key)")
      #expect((loads.max() ?? 0) < 24, "fullest bucket \(loads.max() ?? 0); \(key)")
      #expect(isIndexed, "\(key)")
    }
  }

  @Test("hosts spread over workers in equal parts", arguments: [2, 3, 7])
  func owners(workers: Int) {
    var settings = TableSettings(pool: [])
    settings.workers = workers
    settings.bindingLimit = 100
    settings.sessionLimit = 100
    var random = RandomSource(seed: 5)
    let table = TranslationTable(settings, random: &random)
    var counts = [Int](repeating: 0, count: workers)
    for host in 0..<10_000 { counts[table.owner(of: IPv4Address(0x0A00_0000 + UInt32(host)))] += 1 }
    let share = 10_000 / workers
    #expect(counts.allSatisfy { abs($0 - share) < share / 5 }, "\(counts)")
  }
}
