import NATLab
import NATLiveIO
import NATWire
import TestSupport
import Testing

extension Lab {
  @Suite struct TransmitterTests {
    @Test(
      "CS7 the kernel finishes a partial checksum, and leaves a complete or wrong one alone",
      arguments: [true, false])
    func checksums(deviceFinishes: Bool) throws {
      let cable = try Cable()
      if !deviceFinishes { try cable.here.shell("ethtool -K lan0 tx off") }
      var transmitter = try cable.transmitter()
      let receiver = try cable.there.enter { try PlainSocket.udp(port: 9) }
      let wire = try cable.peerSocket()
      let data = Array("an odd number of bytes.".utf8)
      func datagram(_ sum: WireFrames.Sum, _ first: UInt8) -> [UInt8] {
        WireFrames.udp(cable.own, 4000, cable.peer, 9, [first] + data, sum)
      }
      transmitter.send([datagram(.partial, 1), datagram(.wrong, 2), datagram(.right, 3)])
      #expect(receiver.receive() == [1] + data)
      // The peer's kernel drops the wrong one.
      #expect(receiver.receive() == [3] + data)
      if !deviceFinishes {
        // Without an offload the checksum stands in the frame on the wire.
        #expect(wire.receive() == datagram(.right, 1))
        #expect(wire.receive() == datagram(.wrong, 2))
        #expect(wire.receive() == datagram(.right, 3))
      }
      #expect(transmitter.counters.frames == 3)
      #expect(transmitter.counters.bytes == UInt64(3 * datagram(.partial, 1).count))
    }

    /// A connection from made-up frames to a real socket of the peer's.
    final class Connection {
      let cable: Cable
      let socket: PlainSocket
      /// The next sequence number, and what the peer is at.
      var sequence: UInt32 = 1001
      let acknowledgement: UInt32

      init(_ cable: Cable, _ transmitter: inout Transmitter) throws {
        self.cable = cable
        var capture = try cable.capture()
        let listener = try cable.there.enter { try PlainSocket.listener(port: 80) }
        transmitter.send([
          WireFrames.tcp(
            cable.own, 4000, cable.peer, 80, .init(flags: 0x02, sequence: 1000, options: [2, 4, 5, 180]))
        ])
        var collector = Collector()
        try collector.receive(1, from: &capture)
        let answer = try #require(collector.frames.first { $0[23] == 6 && $0[47] == 0x12 })
        acknowledgement = answer[38..<42].reduce(0) { $0 << 8 | UInt32($1) } &+ 1
        transmitter.send([
          WireFrames.tcp(
            cable.own, 4000, cable.peer, 80,
            .init(flags: 0x10, sequence: 1001, acknowledgement: acknowledgement))
        ])
        socket = try listener.accept()
      }

      func frame(
        _ data: [UInt8], _ sum: WireFrames.Sum, flags: UInt8 = 0x18, options: [UInt8] = []
      ) -> [UInt8] {
        let frame = WireFrames.tcp(
          cable.own, 4000, cable.peer, 80,
          .init(
            flags: flags, sequence: sequence, acknowledgement: acknowledgement, options: options, data: data),
          sum)
        sequence &+= UInt32(data.count)
        return frame
      }
    }

    static let data = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    @Test(
      "CS7 a TCP super-frame arrives at a real peer whole, whatever device cuts it",
      arguments: [true, false], [WireFrames.Sum.partial, .right])
    func superFrame(deviceCuts: Bool, sum: WireFrames.Sum) throws {
      let cable = try Cable()
      if !deviceCuts { try cable.here.shell("ethtool -K lan0 tso off gso off tx off") }
      var transmitter = try cable.transmitter()
      let connection = try Connection(cable, &transmitter)
      let wire = try cable.peerSocket()
      // Two super-frames with a small frame between them, as one batch: they must not overtake each other.
      let frames = [
        connection.frame(Array(Self.data[..<9000]), sum),
        connection.frame(Array(Self.data[9000..<9100]), .partial),
        connection.frame(Array(Self.data[9100...]), sum),
      ]
      transmitter.send(frames, largestPacket: 1240)
      #expect(connection.socket.receive(exactly: 20_000) == Self.data)
      #expect(transmitter.counters.joinedPackets == 2)
      #expect(transmitter.counters.queueFull == 0 && transmitter.counters.refused == 0)
      guard !deviceCuts else { return }
      // Segments of 1,200 bytes, each with its own checksum, in order.
      var received: [UInt8] = []
      var sizes: [Int] = []
      while received.count < 20_000, let frame = wire.receive() {
        guard Array(frame[..<6]) == cable.peer.mac, frame.count > 54 else { continue }
        let segment = Array(frame[34...])
        #expect(
          InternetChecksum.of(
            InternetChecksum.pseudoHeader(
              source: cable.own.address, destination: cable.peer.address, protocolNumber: 6,
              length: segment.count) + segment) == 0)
        sizes.append(segment.count - 20)
        received += segment[20...]
      }
      #expect(received == Self.data)
      #expect(
        sizes == [Int](repeating: 1200, count: 7) + [600, 100] + [Int](repeating: 1200, count: 9) + [100])
    }

    @Test("a super-frame longer than the device cuts is cut by the kernel")
    func longerThanTheDeviceCuts() throws {
      let cable = try Cable()
      try cable.here.shell("ip link set lan0 gso_max_size 8000")
      var transmitter = try cable.transmitter()
      let connection = try Connection(cable, &transmitter)
      transmitter.send([
        connection.frame(Array(Self.data[..<9000]), .partial),
        connection.frame(Array(Self.data[9000...]), .partial),
      ])
      #expect(connection.socket.receive(exactly: 20_000) == Self.data)
      #expect(transmitter.counters.joinedPackets == 2 && transmitter.counters.drops == 0)
    }

    @Test("TCP options count into the segment size, and CWR stands in the first segment only")
    func segmentsWithOptions() throws {
      let cable = try Cable()
      try cable.here.shell("ethtool -K lan0 tso off gso off tx off")
      var transmitter = try cable.transmitter()
      let connection = try Connection(cable, &transmitter)
      let wire = try cable.peerSocket()
      // No-operation options, CWR with PSH and ACK.
      transmitter.send(
        [
          connection.frame(
            Array(Self.data[..<3000]), .partial, flags: 0x98, options: [1, 1, 1, 1, 1, 1, 1, 1])
        ])
      #expect(connection.socket.receive(exactly: 3000) == Array(Self.data[..<3000]))
      var lengths: [Int] = []
      var flags: [UInt8] = []
      while lengths.count < 3, let frame = wire.receive() {
        guard Array(frame[..<6]) == cable.peer.mac else { continue }
        lengths.append(frame.count - 14)
        flags.append(frame[47])
      }
      // 1,500 less 20 and 28 bytes of headers; PSH in the last segment only.
      #expect(lengths == [1500, 1500, 3000 - 2 * 1452 + 48])
      #expect(flags == [0x90, 0x10, 0x18])
    }

    @Test("a super-frame with a wrong checksum is not mended by cutting it")
    func wrongSuperFrame() throws {
      let cable = try Cable()
      var transmitter = try cable.transmitter()
      let connection = try Connection(cable, &transmitter)
      transmitter.send([connection.frame(Array(Self.data[..<9000]), .wrong)])
      #expect(transmitter.counters.refused == 1)
      #expect(transmitter.counters.joinedPackets == 0)
    }

    @Test("a frame beyond the MTU is refused and counted, and the batch around it leaves")
    func tooLong() throws {
      let cable = try Cable()
      var transmitter = try cable.transmitter()
      let receiver = try cable.there.enter { try PlainSocket.udp(port: 9) }
      func datagram(_ length: Int) -> [UInt8] {
        WireFrames.udp(cable.own, 4000, cable.peer, 9, Array(repeating: UInt8(length & 0xFF), count: length))
      }
      let unknown = WireFrames.ethernet(cable.own, cable.peer, type: 0x88B5, Array(repeating: 1, count: 1600))
      transmitter.send([datagram(10), datagram(1473), unknown, datagram(1472)])
      #expect(receiver.receive()?.count == 10)
      #expect(receiver.receive()?.count == 1472)
      #expect(transmitter.counters.frames == 2)
      #expect(transmitter.counters.refused == 2)
    }

    @Test("more than a batch leaves in order")
    func manyFrames() throws {
      let cable = try Cable()
      var transmitter = try cable.transmitter()
      let receiver = try cable.there.enter { try PlainSocket.udp(port: 9) }
      let payloads = (0..<150).map { [UInt8($0), 1] }
      transmitter.send(payloads.map { WireFrames.udp(cable.own, 4000, cable.peer, 9, $0) })
      #expect((0..<150).map { _ in receiver.receive() } == payloads)
      #expect(transmitter.counters.frames == 150)
    }

    @Test("RC3 a link that is down drops and counts, and works again when it is up")
    func linkDownAndUp() throws {
      let cable = try Cable()
      var transmitter = try cable.transmitter()
      let receiver = try cable.there.enter { try PlainSocket.udp(port: 9) }
      func datagram(_ first: UInt8) -> [UInt8] { WireFrames.udp(cable.own, 4000, cable.peer, 9, [first]) }
      try cable.here.shell("ip link set lan0 down")
      transmitter.send([datagram(1), datagram(2)])
      transmitter.send([datagram(3)])
      #expect(transmitter.counters.linkDown == 3)
      let drops = transmitter.takeDrops()
      #expect(drops?.linkDown == 3 && drops?.queueFull == 0 && drops?.refused == 0)
      #expect(transmitter.takeDrops() == nil)
      #expect(transmitter.hasVanished == false)
      try cable.here.shell("ip link set lan0 up")
      transmitter.send([datagram(4)])
      #expect(receiver.receive() == [4])
      #expect(transmitter.counters.frames == 1)
    }

    @Test("RC3 an interface that vanished is noticed, and drops and counts")
    func vanished() throws {
      let cable = try Cable()
      var transmitter = try cable.transmitter()
      try cable.here.shell("ip link del lan0")
      for _ in 0..<3 { transmitter.send([WireFrames.udp(cable.own, 4000, cable.peer, 9, [1])]) }
      #expect(transmitter.counters.linkDown == 3)
      #expect(transmitter.hasVanished == true)
    }

    @Test("a full queue drops and counts within a bounded time")
    func fullQueue() throws {
      let cable = try Cable()
      try cable.here.shell(
        """
        ethtool -K lan0 tso off gso off && \
        tc qdisc add dev lan0 root tbf rate 8kbit burst 1600 limit 3200
        """)
      var transmitter = try cable.transmitter()
      // TCP takes the way through the queueing discipline here.
      let segment = WireFrames.tcp(
        cable.own, 4000, cable.peer, 80,
        .init(flags: 0x10, sequence: 1, data: Array(repeating: 1, count: 1400)))
      let clock = ContinuousClock()
      let time = clock.measure { transmitter.send(Array(repeating: segment, count: 500)) }
      let counters = transmitter.counters
      #expect(counters.frames > 0 && counters.frames < 10)
      #expect(counters.frames + counters.queueFull == 500)
      #expect(time < .seconds(10))
    }
  }
}
