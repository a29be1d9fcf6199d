import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATTable

/// The map against a scan over all ports.
@Suite struct PortMapTests {
  struct Fixture {
    let map: PortMap
    let memory: [MappedMemory]
    var isFree: [Bool]
    let worker: Int
    let workers: Int

    init(worker: Int = 0, workers: Int = 1, ports: ClosedRange<UInt16> = 0...65535) {
      let taken = MappedMemory(byteCount: PortMap.mapWords * 8)
      let summaries = MappedMemory(byteCount: PortMap.summaryWords * 8)
      let offered = MappedMemory(byteCount: PortMap.mapWords * 8)
      let words = offered.array(of: UInt64.self, count: PortMap.mapWords)
      isFree = (0..<65536).map { ports.contains(UInt16($0)) && $0 / 512 % workers == worker }
      for port in 0..<65536 where ports.contains(UInt16(port)) { words[port / 64] |= 1 << UInt64(port % 64) }
      map = PortMap(
        (taken.array(of: UInt64.self, count: PortMap.mapWords), words), mapBase: 0,
        summaries: summaries.array(of: UInt64.self, count: PortMap.summaryWords), summaryBase: 0,
        worker: worker, workers: workers)
      map.summarize()
      memory = [taken, offered, summaries]
      self.worker = worker
      self.workers = workers
    }

    mutating func take(_ port: Int) {
      map.take(UInt16(port))
      isFree[port] = false
    }

    mutating func free(_ port: Int) {
      map.free(UInt16(port))
      isFree[port] = true
    }

    func fits(_ port: Int, _ portClass: PortMap.Class, _ parity: PortMap.Parity) -> Bool {
      let isInClass =
        switch portClass {
        case .wellKnown: port < 1024
        case .registered: port >= 1024
        case .all: true
        }
      let hasParity =
        switch parity {
        case .even: port % 2 == 0
        case .odd: port % 2 == 1
        case .any: true
        }
      return isInClass && hasParity
    }

    /// Compares every question with the scan.
    func check(_ random: inout RandomSource, _ comment: String) {
      for portClass in [PortMap.Class.wellKnown, .registered, .all] {
        for parity in [PortMap.Parity.even, .odd, .any] {
          let lowest = (0..<65536).first { isFree[$0] && fits($0, portClass, parity) }
          #expect(map.lowest(portClass, parity).map(Int.init) == lowest, "\(comment) \(portClass) \(parity)")
          for _ in 0..<20 {
            guard let port = map.random(portClass, parity, &random).map(Int.init) else {
              #expect(lowest == nil, "\(comment) \(portClass) \(parity)")
              continue
            }
            #expect(
              isFree[port] && fits(port, portClass, parity), "\(comment) \(portClass) \(parity): \(port)")
          }
        }
      }
    }
  }

  @Test(
    "PA7, PF4 the lowest and a random port of every class and parity, at 0, 50, 99.9 and 100 % taken",
    arguments: [1, 3], [0...65535, 1024...65535, 1000...1100, 7...7] as [ClosedRange<UInt16>])
  func occupancies(workers: Int, ports: ClosedRange<UInt16>) {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = Generator(seed: seed)
    var random = RandomSource(seed: seed)
    for worker in 0..<workers {
      var fixture = Fixture(worker: worker, workers: workers, ports: ports)
      var left = fixture.isFree.indices.filter { fixture.isFree[$0] }.shuffled(using: &generator)
      let all = left.count
      for share in [0.0, 0.5, 0.999, 1.0] {
        while Double(all - left.count) < share * Double(all), let port = left.popLast() { fixture.take(port) }
        fixture.check(&random, "seed \(seed), worker \(worker), \(share) taken:")
      }
      // And back: each port alone is found again.
      for port in [Int(ports.lowerBound), Int(ports.upperBound)] where port / 512 % workers == worker {
        fixture.free(port)
        fixture.check(&random, "seed \(seed), worker \(worker), \(port) alone:")
        fixture.take(port)
      }
    }
  }

  @Test("ports are taken and freed at random, and the map stays right")
  func changes() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var generator = Generator(seed: seed)
    var random = RandomSource(seed: seed)
    var fixture = Fixture(ports: 900...1500)
    for round in 0..<30 {
      for _ in 0..<200 {
        let port = 900 + generator.below(601)
        #expect(fixture.map.isFree(UInt16(port)) == fixture.isFree[port])
        if fixture.isFree[port] { fixture.take(port) } else { fixture.free(port) }
      }
      fixture.check(&random, "seed \(seed), round \(round):")
    }
  }

  @Test("a port of another worker's granule is never free here")
  func granules() {
    let fixture = Fixture(worker: 1, workers: 3)
    for port in [0, 511, 512, 1023, 1024, 2047, 2048, 65535] {
      #expect(fixture.map.isFree(UInt16(port)) == (port / 512 % 3 == 1), "\(port)")
    }
  }

  @Test("PA13 random ports spread over the range: no port comes again at once, no region is left out")
  func spread() {
    let fixture = Fixture(ports: 1024...65535)
    var random = RandomSource(seed: 99)
    var regions = [Int](repeating: 0, count: 64)
    var seen = Set<UInt16>()
    for _ in 0..<6400 {
      guard let port = fixture.map.random(.registered, .even, &random) else {
        Issue.record("an empty map has a port")
        return
      }
      seen.insert(port)
      regions[Int(port) / 1024] += 1
    }
    #expect(regions[0] == 0)
    // 101.6 are expected of each region; a Poisson variable leaves 50...170 less than once in 10^6.
    #expect(regions[1...].allSatisfy { (50...170).contains($0) }, "\(regions)")
    #expect(seen.count > 5500)
  }
}
