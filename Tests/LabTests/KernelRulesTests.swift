import Glibc
import NATKernel
import NATLab
import NATWire
import TestSupport
import Testing

extension Lab {
  /// The helper program that holds a guard or a lock.
  static func holder() throws -> String { try program("LabHolder") }

  @Suite struct KernelRulesTests {
    /// Whether the kernel behind lan0 answers, seen from the peer.
    struct Answers: Equatable, CustomStringConvertible {
      var arp = false
      var echo = false
      var reset = false
      var forwards = false
      /// Echo requests to an address of the kernel's that is not the gateway's.
      var management = false

      var description: String {
        "arp \(arp), echo \(echo), reset \(reset), forwards \(forwards), management \(management)"
      }
      static let all = Answers(arp: true, echo: true, reset: true, forwards: true, management: true)
      static let guarded = Answers(management: true)
    }

    /// A kernel that would do what the gateway does: it has the gateway's addresses, forwards, and has a way out.
    struct Stage {
      let cable: Cable
      let beyond: NetworkNamespace
      static let remote: WireFrames.Station = ([2, 0, 0, 0, 0, 1], [203, 0, 113, 9])

      /// Who asks at which interface.
      struct View {
        let namespace: NetworkNamespace
        let device: String
        let asker: WireFrames.Station
        /// The gateway's address there.
        let own: WireFrames.Station
        /// The kernel's address there that is not the gateway's.
        let management: WireFrames.Station
        /// A host on the other side.
        let remote: WireFrames.Station
      }

      var inside: View {
        View(
          namespace: cable.there, device: "peer0", asker: cable.peer, own: cable.own,
          management: (cable.own.mac, [192, 168, 1, 254]), remote: Stage.remote)
      }

      var outside: View {
        let mac: [UInt8] = [2, 0, 0, 0, 0, 3]
        return View(
          namespace: beyond, device: "peer1", asker: ([2, 0, 0, 0, 0, 4], [203, 0, 113, 9]),
          own: (mac, [203, 0, 113, 5]), management: (mac, [203, 0, 113, 6]), remote: (mac, cable.peer.address)
        )
      }

      init() throws {
        cable = try Cable()
        beyond = try NetworkNamespace()
        try cable.here.connect("wan0", to: beyond, "peer1")
        try cable.here.shell(
          """
          ip address add 192.168.1.1/24 dev lan0 && ip address add 192.168.1.254/24 dev lan0 && \
          ip link set wan0 address 02:00:00:00:00:03 && \
          ip address add 203.0.113.5/24 dev wan0 && ip address add 203.0.113.6/24 dev wan0 && \
          echo 1 >/proc/sys/net/ipv4/ip_forward && \
          ip neighbour replace 192.168.1.2 lladdr 02:00:00:00:00:02 dev lan0 && \
          ip neighbour replace 203.0.113.9 lladdr 02:00:00:00:00:04 dev wan0
          """)
        try beyond.shell(
          """
          ip link set peer1 address 02:00:00:00:00:04 && \
          ip address add 203.0.113.9/24 dev peer1 && ip route add default via 203.0.113.5 && \
          ip neighbour replace 203.0.113.5 lladdr 02:00:00:00:00:03 dev peer1
          """)
        try cable.there.shell("ip route add default via 192.168.1.1")
      }

      static func echo(_ from: WireFrames.Station, _ to: WireFrames.Station) -> [UInt8] {
        var message: [UInt8] = [8, 0, 0, 0, 0, 42, 0, 1, 1, 2, 3, 4]
        message.replaceSubrange(2..<4, with: big(InternetChecksum.of(message)))
        return WireFrames.ipv4(from, to, protocolNumber: 1, message)
      }

      func answers() throws -> Answers { try answers(inside) }

      /// - Parameter tags: VLAN tags for each frame that is sent; answers come untagged.
      func answers(_ view: View, tags: [UInt8] = []) throws -> Answers {
        let socket = try view.namespace.enter { try PlainSocket.raw(InterfaceFacts(name: view.device)) }
        func send(_ frame: [UInt8]) throws { try socket.sendFrame(Array(frame[..<12]) + tags + frame[12...]) }
        try send(WireFrames.arpRequest(view.asker, for: view.own.address))
        try send(Stage.echo(view.asker, view.own))
        try send(WireFrames.tcp(view.asker, 5000, view.own, 81, .init(flags: 0x02, sequence: 1)))
        try send(Stage.echo(view.asker, view.remote))
        // Sent last: its answer, which must come, comes after all others.
        try send(Stage.echo(view.asker, view.management))
        var answers = Answers()
        while !answers.management, let frame = socket.receive() {
          guard Array(frame[..<6]) == view.asker.mac, frame.count > 34 else { continue }
          if frame[12..<14] == [8, 6] {
            if frame[21] == 2, Array(frame[28..<32]) == view.own.address { answers.arp = true }
            continue
          }
          let source = Array(frame[26..<30])
          switch (frame[23], source) {
          case (1, view.own.address) where frame[34] == 0: answers.echo = true
          case (6, view.own.address) where frame[47] & 0x04 != 0: answers.reset = true
          case (1, view.remote.address) where frame[34] == 0: answers.forwards = true
          case (1, view.management.address) where frame[34] == 0: answers.management = true
          default: break
          }
        }
        // A forwarded packet has a longer way.
        if !answers.forwards, let frame = socket.receive(within: 0.2), frame.count > 34,
          Array(frame[26..<30]) == view.remote.address
        {
          answers.forwards = true
        }
        return answers
      }
    }

    /// The VLAN tags of frames that count as untagged: identifier 0 in one tag or several, with every priority.
    static let linkForms: [[UInt8]] =
      [[]] + (0..<8).map { [0x81, 0x00, $0 << 5, 0] } + (0..<8).map { [0x88, 0xA8, $0 << 5, 0] } + [
        [0x88, 0xA8, 0, 0, 0x81, 0x00, 0, 0], [0x88, 0xA8, 0x60, 0, 0x81, 0x00, 0xA0, 0],
        [0x81, 0x00, 0, 0, 0x81, 0x00, 0, 0], [0x81, 0x00, 0xA0, 0, 0x88, 0xA8, 0x60, 0],
        [0x88, 0xA8, 0, 0, 0x81, 0x00, 0x20, 0, 0x81, 0x00, 0xE0, 0],
      ]

    @Test(
      "H1 D18 FW11 the kernel neither answers nor forwards frames of any link form from either side: untagged, VLAN identifier 0 with every priority, 802.1ad identifier 0, several such tags",
      arguments: ["lan0", "wan0"])
    func linkForms(interface: String) throws {
      let stage = try Stage()
      let view = interface == "lan0" ? stage.inside : stage.outside
      for tags in KernelRulesTests.linkForms {
        #expect(try stage.answers(view, tags: tags) == .all, "before, with tags \(tags)")
      }
      let own = [IPv4Address(192, 168, 1, 1), IPv4Address(203, 0, 113, 5)]
      let rules = try stage.cable.here.enter { try KernelRules(interface: interface, .init(own)) }
      for tags in KernelRulesTests.linkForms {
        #expect(try stage.answers(view, tags: tags) == .guarded, "with tags \(tags)")
      }
      #expect(rules.interface == interface)
    }

    @Test("D18 frames of other VLANs pass the rule against forwarding: they belong to the VLAN's device")
    func otherVLANs() throws {
      let stage = try Stage()
      let rules = try stage.cable.here.enter {
        try KernelRules(interface: "lan0", .init([IPv4Address(192, 168, 1, 1)]))
      }
      // It stands behind the rules, where VLAN devices take their frames.
      let behind = try stage.cable.here.enter {
        try PlainSocket.raw(InterfaceFacts(name: "lan0"), protocolNumber: 0x0800)
      }
      let frame = Stage.echo(stage.cable.peer, Stage.remote)
      for type in [[0x81, 0x00], [0x88, 0xA8]] as [[UInt8]] {
        for (priorityAndIdentifier, passes) in [([0, 5], true), ([0xAF, 0xFF], true), ([0xA0, 0], false)]
          as [([UInt8], Bool)]
        {
          try stage.cable.peerSocket().sendFrame(
            Array(frame[..<12]) + type + priorityAndIdentifier + frame[12...])
          #expect((behind.receive(within: 0.2) != nil) == passes, "\(type) \(priorityAndIdentifier)")
        }
      }
      #expect(rules.interface == "lan0")
    }

    @Test(
      "FW11 RC7 RC8 the kernel neither answers nor forwards under the guard, and does after kill -9"
    )
    func guarded() throws {
      let stage = try Stage()
      #expect(try stage.answers() == .all)
      let before = try stage.cable.here.shell("nft list ruleset")
      do {
        let holder = try stage.cable.here.start([holder(), "guard", "lan0", "192.168.1.1", "203.0.113.5"])
        #expect(holder.read(until: "\n") == "held\n")
        #expect(try stage.answers() == .guarded)
        // One table, on one interface.
        let rules = try stage.cable.here.shell("nft list ruleset")
        #expect(rules.contains("table netdev portico-lan0") && rules.contains("device \"lan0\""))
        #expect(!rules.contains("wan0"))
        // Nobody else can take it away.
        #expect(try stage.cable.here.attempt("nft delete table netdev portico-lan0").code != 0)
        #expect(
          try stage.cable.here.attempt("nft flush ruleset; nft list ruleset").output.contains("portico-lan0"))
        holder.signal(SIGKILL)
        #expect(holder.wait() == 128 + SIGKILL)
      }
      #expect(try eventually { try stage.cable.here.shell("nft list ruleset") == before })
      #expect(try stage.answers() == .all)
    }

    @Test("the capture sees what the guard keeps from the kernel")
    func captureSees() throws {
      let stage = try Stage()
      var capture = try stage.cable.capture()
      let kernelGuard = try stage.cable.here.enter {
        try KernelRules(interface: "lan0", .init([IPv4Address(192, 168, 1, 1)]))
      }
      let frames = [
        Stage.echo(stage.cable.peer, stage.cable.own), Stage.echo(stage.cable.peer, Stage.remote),
        WireFrames.arpRequest(stage.cable.peer, for: [192, 168, 1, 1]),
      ]
      let socket = try stage.cable.peerSocket()
      for frame in frames { try socket.sendFrame(frame) }
      var collector = Collector()
      try collector.receive(3, from: &capture)
      #expect(collector.frames == frames)
      #expect(kernelGuard.table == "portico-lan0")
    }

    @Test("addresses change under the guard, and it goes when its holder closes it")
    func change() throws {
      let stage = try Stage()
      do {
        var kernelGuard = try stage.cable.here.enter { try KernelRules(interface: "lan0", .init([])) }
        // No address is the gateway's: the kernel keeps its own, but forwards nothing.
        #expect(try stage.answers() == Answers(arp: true, echo: true, reset: true, management: true))
        try kernelGuard.setScope(.init([IPv4Address(192, 168, 1, 1), IPv4Address(192, 168, 1, 1)]))
        #expect(try stage.answers() == .guarded)
        try kernelGuard.setScope(.init([]))
        #expect(try stage.answers().echo)
      }
      #expect(try stage.answers() == .all)
    }

    @Test("RC3 the guard is back on an interface that vanished and returned")
    func returns() throws {
      let stage = try Stage()
      let own = [IPv4Address(192, 168, 1, 1)]
      var kernelGuard = try stage.cable.here.enter { try KernelRules(interface: "lan0", .init(own)) }
      try stage.cable.here.shell("ip link del lan0")
      try stage.cable.lay()
      try kernelGuard.reinstall(.init(own))
      try stage.cable.here.shell(
        "ip address add 192.168.1.1/24 dev lan0 && ip address add 192.168.1.254/24 dev lan0")
      #expect(try stage.answers() == .guarded)
    }

    @Test("10,000 addresses are guarded")
    func manyAddresses() throws {
      let stage = try Stage()
      var kernelGuard = try stage.cable.here.enter {
        try KernelRules(interface: "lan0", .init((0..<10_000).map { IPv4Address(0x0A00_0000 + $0) }))
      }
      try kernelGuard.setScope(.init((0..<10_000).map { IPv4Address(0xC0A8_0101 &- $0) }))
      #expect(try stage.answers() == .guarded)
    }

    @Test(
      "FW8 of a shared address the machine's sockets get all that is theirs, from the first segment of a connection on; other ports of the gateway's are silent"
    )
    func shared() throws {
      let stage = try Stage()
      var scope = KernelRules.Scope(
        [], shared: .init([IPv4Address(203, 0, 113, 5)], tcpPorts: [10240...32767], udpPorts: [10240...32767])
      )
      var kernelGuard = try stage.cable.here.enter { try KernelRules(interface: "wan0", scope) }
      let server = try stage.cable.here.enter { try HTTPServer(port: 20_000) }
      func answers(_ port: Int) throws -> Int32 {
        try stage.beyond.attempt("curl -sS -m 2 -o /dev/null http://203.0.113.5:\(port)/1").code
      }
      // 28 is silence, 7 a refusal.
      #expect(try answers(20_000) == 0)
      #expect(try answers(20_001) == 28)
      #expect(try answers(32_768) == 7)
      scope.shared?.tcpPorts = [8080...8080]
      try kernelGuard.setScope(scope)
      #expect(try answers(20_001) == 7)
      #expect(try answers(20_000) == 0)
      withExtendedLifetime(server) {}
    }

    @Test(
      "FW8 a DHCP client hears its server by a packet socket, for an address that the kernel does not have yet, which forwards nothing of it"
    )
    func leases() throws {
      let stage = try Stage()
      let (own, peer) = (stage.cable.own, stage.cable.peer)
      // To an address beyond, which this kernel would have a way to.
      let offered: WireFrames.Station = (own.mac, Stage.remote.address)
      let offer = WireFrames.udp(peer, 67, offered, 68, [2, 1, 6, 0])
      func heard(_ scope: KernelRules.Scope) throws -> (here: Bool, beyond: Bool) {
        let kernelGuard = try stage.cable.here.enter { try KernelRules(interface: "lan0", scope) }
        // As systemd-networkd, NetworkManager and udhcpc do; dhclient's hears everything before the guard.
        let client = try stage.cable.here.enter {
          try PlainSocket.raw(InterfaceFacts(name: "lan0"), protocolNumber: 0x0800)
        }
        let server = try stage.beyond.enter { try PlainSocket.udp(port: 68) }
        try stage.cable.peerSocket().sendFrame(offer)
        let isHeard = client.receive(within: 0.5).map { $0 == offer } ?? false
        defer { withExtendedLifetime(kernelGuard.table) {} }
        return (isHeard, server.receive(within: 0.2) != nil)
      }
      #expect(try heard(.init([], shared: .init([]))) == (here: true, beyond: false))
      // Where the gateway has its addresses to itself, nothing is the kernel's.
      #expect(try heard(.init([])) == (here: false, beyond: false))
    }

    @Test("a second guard on an interface is refused, and the first stays")
    func second() throws {
      let stage = try Stage()
      let own = [IPv4Address(192, 168, 1, 1)]
      let first = try stage.cable.here.enter { try KernelRules(interface: "lan0", .init(own)) }
      let fault = try stage.cable.here.enter {
        #expect(throws: InterfaceFault.self) { _ = try KernelRules(interface: "lan0", .init(own)) }
      }
      #expect(fault?.kind == .notPermitted)
      #expect(fault?.description.contains("portico-lan0") == true)
      #expect(try stage.answers() == .guarded)
      #expect(first.interface == "lan0")
    }

    @Test("a name that nftables cannot take has no guard", arguments: ["a\"b", "-x", ""])
    func refused(name: String) throws {
      let namespace = try NetworkNamespace()
      let fault = try namespace.enter {
        #expect(throws: InterfaceFault.self) { _ = try KernelRules(interface: name, .init([])) }
      }
      #expect(fault?.name == name)
      #expect(fault?.description.contains("guard: ") == true)
      #expect(try namespace.shell("nft list ruleset") == "")
    }
  }

  @Suite struct InterfaceLockTests {
    @Test("RC7 a second gateway on an interface is refused and told who has it, until the first is gone")
    func second() throws {
      let namespace = try NetworkNamespace()
      let holder = try namespace.start([holder(), "lock", "lan0"])
      #expect(holder.read(until: "\n") == "held\n")
      for _ in 0..<5 {
        let fault = try namespace.enter {
          #expect(throws: InterfaceFault.self) { _ = try InterfaceLock(interface: "lan0") }
        }
        #expect(fault?.kind == .inUse)
      }
      let other = try namespace.start([Lab.holder(), "lock", "lan0"])
      #expect(other.readToEnd().contains("is the gateway on it"))
      #expect(other.wait() == 1)
      // Other interfaces, and the same name in another namespace, are free.
      try namespace.enter { _ = try InterfaceLock(interface: "wan0") }
      try NetworkNamespace().enter { _ = try InterfaceLock(interface: "lan0") }
      holder.signal(SIGKILL)
      #expect(holder.wait() == 128 + SIGKILL)
      try namespace.enter { _ = try InterfaceLock(interface: "lan0") }
    }

    @Test("the refusal names the process that has the interface")
    func names() throws {
      let namespace = try NetworkNamespace()
      let lock = try namespace.enter { try InterfaceLock(interface: "lan0") }
      let fault = try namespace.enter {
        #expect(throws: InterfaceFault.self) { _ = try InterfaceLock(interface: "lan0") }
      }
      #expect(fault?.description.contains("process \(getpid()) ") == true)
      _ = consume lock
    }
  }
}
