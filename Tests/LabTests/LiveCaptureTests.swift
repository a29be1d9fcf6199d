import NATKernel
import NATLab
import NATLiveIO
import NATWire
import TestSupport
import Testing

extension Lab {
  /// A cable between `here` with lan0 (02:00:00:00:00:01, 192.168.1.1) and `there` with peer0 (…:02,
  /// 192.168.1.2).
  struct Cable {
    let here = try! NetworkNamespace()
    let there = try! NetworkNamespace()
    let own: WireFrames.Station = ([2, 0, 0, 0, 0, 1], [192, 168, 1, 1])
    let peer: WireFrames.Station = ([2, 0, 0, 0, 0, 2], [192, 168, 1, 2])

    init(mtu: Int = 1500) throws {
      try lay(mtu: mtu)
    }

    func lay(mtu: Int = 1500) throws {
      try here.connect("lan0", to: there, "peer0", mtu: mtu)
      try here.shell("ip link set lan0 address 02:00:00:00:00:01")
      try there.shell(
        "ip link set peer0 address 02:00:00:00:00:02 && ip address add 192.168.1.2/24 dev peer0")
      try there.shell("ip neighbour replace 192.168.1.1 lladdr 02:00:00:00:00:01 dev peer0")
    }

    func facts() throws -> InterfaceFacts { try here.enter { try InterfaceFacts(name: "lan0") } }

    func capture(_ options: CaptureOptions = CaptureOptions(ringSize: 4 << 20)) throws -> LiveCapture {
      try here.enter { try LiveCapture(interface: "lan0", options) }
    }

    func transmitter() throws -> Transmitter {
      try here.enter { try Transmitter(InterfaceFacts(name: "lan0")) }
    }

    func peerSocket() throws -> PlainSocket {
      try there.enter { try PlainSocket.raw(InterfaceFacts(name: "peer0")) }
    }

    func datagram(_ number: Int, length: Int = 18) -> [UInt8] {
      WireFrames.udp(peer, 5000, own, 9, Array(repeating: UInt8(truncatingIfNeeded: number), count: length))
    }
  }

  @Suite struct LiveCaptureTests {
    @Test(
      "a capture gets what another namespace sends, IPv4 and ARP only, byte for byte and in order",
      arguments: [CaptureOptions.Delivery.immediate, .blocks(milliseconds: 1)])
    func receives(delivery: CaptureOptions.Delivery) throws {
      let cable = try Cable()
      var capture = try cable.capture(CaptureOptions(ringSize: 4 << 20, delivery: delivery))
      let sender = try cable.peerSocket()
      let arp = WireFrames.arpRequest(cable.peer, for: [192, 168, 1, 1])
      let ipv6 = WireFrames.ethernet(cable.peer, cable.own, type: 0x86DD, Array(repeating: 0x60, count: 60))
      let expected = [cable.datagram(1), arp, cable.datagram(2, length: 1400)]
      for frame in [expected[0], ipv6, expected[1], expected[2]] { try sender.sendFrame(frame) }
      var collector = Collector()
      try collector.receive(3, from: &capture)
      #expect(collector.frames == expected)
      #expect(collector.wireLengths == expected.map(\.count))
      #expect(capture.takeDrops() == 0)
    }

    @Test("a capture does not get what its own machine sends, by the kernel or by a transmitter")
    func ignoresOutgoing() throws {
      let cable = try Cable()
      try cable.here.shell("ip address add 192.168.1.1/24 dev lan0")
      var capture = try cable.capture()
      var transmitter = try cable.transmitter()
      let kernel = try cable.here.enter { try PlainSocket.udp(port: 4000) }
      let peer = try cable.there.enter { try PlainSocket.udp(port: 9) }
      try cable.here.shell("ip neighbour replace 192.168.1.2 lladdr 02:00:00:00:00:02 dev lan0")
      try kernel.send([1, 2, 3], to: [192, 168, 1, 2], 9)
      transmitter.send([WireFrames.udp(cable.own, 4000, cable.peer, 9, [4, 5, 6])])
      #expect(peer.receive() == [1, 2, 3])
      #expect(peer.receive() == [4, 5, 6])
      try cable.peerSocket().sendFrame(cable.datagram(1))
      var collector = Collector()
      try collector.receive(1, from: &capture)
      #expect(collector.frames == [cable.datagram(1)])
    }

    @Test("H1 VLAN tags stand in the frame, several with identifier 0 too")
    func vlan() throws {
      let cable = try Cable()
      var capture = try cable.capture()
      let plain = cable.datagram(1)
      let frames = [[0x81, 0, 0x20, 5], [0x88, 0xA8, 0xA0, 0], [0x88, 0xA8, 0, 0, 0x81, 0, 0xE0, 0]]
        .map { Array(plain[..<12]) + $0 + plain[12...] }
      let socket = try cable.peerSocket()
      for frame in frames { try socket.sendFrame(frame) }
      var collector = Collector()
      try collector.receive(3, from: &capture)
      #expect(collector.frames == frames)
      #expect(collector.wireLengths == frames.map(\.count))
    }

    @Test("a frame longer than the snap length is cut, and says how long it was")
    func snapLength() throws {
      let cable = try Cable(mtu: 9000)
      var capture = try cable.capture(CaptureOptions(snapLength: 256, ringSize: 1 << 20))
      let frame = cable.datagram(1, length: 8000)
      try cable.peerSocket().sendFrame(frame)
      var collector = Collector()
      try collector.receive(1, from: &capture)
      #expect(collector.frames == [Array(frame[..<256])])
      #expect(collector.wireLengths == [frame.count])
    }

    /// Rewrites frames in the ring and sends them from the callback.
    struct Reflector: FrameReceiver, ~Copyable {
      var transmitter: Transmitter
      var count = 0

      mutating func receive(_ frame: Frame, wireLength: Int) {
        let source = frame.macAddress(at: Ethernet.sourceOffset)
        frame.setMACAddress(frame.macAddress(at: Ethernet.destinationOffset), at: Ethernet.sourceOffset)
        frame.setMACAddress(source, at: Ethernet.destinationOffset)
        transmitter.add(frame, frame.decodedFacts)
        transmitter.flush()
        count += 1
      }
    }

    @Test("a large frame is rewritten and sent from inside the callback, without a copy")
    func fromInsideTheCallback() throws {
      let cable = try Cable(mtu: 9000)
      var capture = try cable.capture()
      var reflector = Reflector(transmitter: try cable.transmitter())
      let peer = try cable.peerSocket()
      let frames = (1...20).map { cable.datagram($0, length: 8000 + $0) }
      for frame in frames { try peer.sendFrame(frame) }
      _ = try eventually {
        _ = try capture.receive(into: &reflector, limit: 64)
        return reflector.count >= 20
      }
      var returned: [[UInt8]] = []
      while returned.count < 20, let frame = peer.receive() {
        // The raw socket also gets what it sent itself.
        if Array(frame[..<6]) == cable.peer.mac { returned.append(frame) }
      }
      #expect(returned == frames.map { cable.peer.mac + cable.own.mac + $0[12...] })
    }

    @Test("what the ring has no room for is counted, and nothing else is lost")
    func drops() throws {
      let cable = try Cable()
      // 32 slots of 64 KiB.
      var capture = try cable.capture(CaptureOptions(ringSize: 2 << 20))
      let sender = try cable.peerSocket()
      for number in 0..<500 { try sender.sendFrame(cable.datagram(number)) }
      var collector = Collector()
      var drops = 0
      _ = try eventually {
        _ = try capture.receive(into: &collector, limit: 64)
        drops += capture.takeDrops()
        return collector.frames.count + drops >= 500
      }
      #expect(drops > 0)
      #expect(collector.frames.count + drops == 500)
      #expect(collector.frames == (0..<collector.frames.count).map { cable.datagram($0) })
      #expect(capture.takeDrops() == 0)
    }

    @Test("RC3 a capture goes on after its link was down")
    func linkDownAndUp() throws {
      let cable = try Cable()
      var capture = try cable.capture()
      var collector = Collector()
      try cable.here.shell("ip link set lan0 down")
      for _ in 0..<5 { #expect(try capture.receive(into: &collector, limit: 64) == 0) }
      try cable.here.shell("ip link set lan0 up")
      let sender = try cable.peerSocket()
      try sender.sendFrame(cable.datagram(1))
      try collector.receive(1, from: &capture)
      #expect(collector.frames == [cable.datagram(1)])
    }

    @Test("RC3 a vanished interface is a fault, and can be opened again when it is back")
    func vanished() throws {
      let cable = try Cable()
      var capture = try cable.capture()
      var collector = Collector()
      try cable.here.shell("ip link del lan0")
      var fault: InterfaceFault?
      for _ in 0..<100 where fault == nil {
        do {
          _ = try capture.receive(into: &collector, limit: 64)
        } catch {
          fault = error
        }
      }
      #expect(fault?.kind == .missing)
      try cable.lay()
      var second = try cable.capture()
      try cable.peerSocket().sendFrame(cable.datagram(1))
      try collector.receive(1, from: &second)
      #expect(collector.frames == [cable.datagram(1)])
    }

    @Test("an interface that is not there, down, or no Ethernet cannot be captured, and the fault says which")
    func refused() throws {
      let cable = try Cable()
      func kind(_ name: String) throws -> InterfaceFault.Kind? {
        let fault = try cable.here.enter {
          #expect(throws: InterfaceFault.self) {
            _ = try LiveCapture(interface: name, CaptureOptions(ringSize: 1 << 20))
          }
        }
        return fault?.kind
      }
      #expect(try kind("wan0") == .missing)
      try cable.here.shell("ip link set lan0 down")
      #expect(try kind("lan0") == .down)
      try cable.here.shell("ip tuntap add dev tun0 mode tun && ip link set tun0 up")
      #expect(try kind("tun0") == .notEthernet)
    }
  }
}
