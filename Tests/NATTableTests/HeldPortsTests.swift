import NATMemory
import NATWire
import TestSupport
import Testing

@testable import NATTable

@Suite struct HeldPortsTests {
  typealias Place = (transport: TransportProtocol, address: Int, port: UInt16)

  @Test("PA11 the queue and the hosts' own ports are as a list would have them")
  func againstList() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = Generator(seed: seed)
    var keys = RandomSource(seed: seed)
    let settings = TableSettings(pool: [
      PoolAddress(IPv4Address(203, 0, 113, 5), ports: [1...65535]),
      PoolAddress(IPv4Address(203, 0, 113, 6), ports: [1...65535]),
    ])
    let table = TranslationTable(settings, random: &keys)
    let chains = MappedMemory(byteCount: HeldPorts.listCount * 4)
    var resting = HeldPorts(bindings: table.bindings, roots: chains, hash: table.hash)
    var list: [(binding: BindingIndex, host: IPv4Address, freeFrom: UInt64, isOffered: Bool)] = []
    let ports: [UInt16] = [0, 1, 2, 8, 9, 10, 1022, 1023, 1024, 1025, 40000, 65534, 65535]
    var now: UInt64 = 0
    for _ in 0..<20_000 {
      let host = IPv4Address(10, 0, 0, UInt8(random.below(3)))
      let transport = random.pick([TransportProtocol.tcp, .udp, .icmp])
      let address = random.below(2)
      switch random.below(5) {
      case 0, 1:
        let binding = table.bindings.direct(poolAddress: address, transport, port: random.pick(ports))
        guard !list.contains(where: { $0.binding == binding }) else { break }
        now += UInt64(random.below(3))
        // What rests keeps saying who had it.
        table.bindings.publish(binding, Endpoint(host, 5), transport, .dynamic)
        let isOffered = random.below(8) > 0
        resting.add(binding, until: Instant(nanoseconds: now + 50), isOffered: isOffered)
        list.append((binding, host, now + 50, isOffered))
      case 2:
        guard !list.isEmpty else { break }
        let gone = list.remove(at: random.below(list.count))
        resting.remove(gone.binding)
        table.bindings.clear(gone.binding)
      case 3:
        guard !list.isEmpty else { break }
        let place = random.below(list.count)
        list[place].isOffered = random.below(2) == 0
        resting.setOffered(list[place].binding, list[place].isOffered)
      default:
        now += UInt64(random.below(20))
        while let first = list.first, first.freeFrom <= now {
          #expect(resting.popFree(at: Instant(nanoseconds: now)) == first.binding, "seed \(seed)")
          table.bindings.clear(first.binding)
          list.removeFirst()
        }
        #expect(resting.popFree(at: Instant(nanoseconds: now)) == nil, "seed \(seed)")
      }
      #expect(resting.nextFree.nanoseconds == list.first?.freeFrom ?? .max, "seed \(seed)")
      let own = list.filter { entry in
        entry.host == host && entry.isOffered && table.bindings.transport(of: entry.binding) == transport
          && PortSpace(of: entry.binding).poolPlace == address
      }.map { $0.binding.poolPort }
      let question = random.pick([
        (PortMap.Class.wellKnown, PortMap.Parity.even), (.wellKnown, .any), (.registered, .odd), (.all, .any),
      ])
      let lowest = own.filter { port in
        (question.0 == .all || (question.0 == .wellKnown) == (port < 1024))
          && (question.1 == .any || (question.1 == .even) == (port % 2 == 0))
      }.min()
      #expect(
        resting.ownLowest(of: host, poolAddress: address, transport, question.0, question.1) == lowest,
        "seed \(seed)")
    }
  }
}
