import NATKernel
import NATLab
import NATWire
import TestSupport
import Testing

extension Lab {
  @Suite struct InterfaceFactsTests {
    @Test("facts of an interface: index, MAC, MTU, addresses, link, offloads")
    func facts() throws {
      let (one, other) = (try NetworkNamespace(), try NetworkNamespace())
      try one.connect("lan0", to: other, "peer0", mtu: 1400)
      try one.shell(
        """
        ip link set lan0 address 02:11:22:33:44:55 && ip address add 192.168.1.1/24 dev lan0 && \
        ip address add 10.1.2.3/30 dev lan0 && ip link property add dev lan0 altname second-name
        """)
      let facts = try one.enter { try InterfaceFacts(name: "lan0") }
      let index = try one.shell("cat /proc/net/dev_mcast | awk '$2 == \"lan0\" { print $1; exit }'")
      #expect(facts.index == Int32(index.split(separator: "\n").first ?? ""))
      #expect(facts.name == "lan0")
      #expect(facts.mac == MACAddress("02:11:22:33:44:55"))
      #expect(facts.mtu == 1400)
      #expect(facts.isUp && facts.hasCarrier)
      #expect(
        facts.addresses.map { "\($0.address) \($0.network)" } == [
          "192.168.1.1 192.168.1.0/24", "10.1.2.3 10.1.2.0/30",
        ])
      #expect(facts.offloads.tcpSegmentation && facts.offloads.transmitChecksum)
      #expect(facts.offloads.genericSegmentation && !facts.offloads.genericReceive)
      #expect(!facts.offloads.largeReceive && facts.offloads.receiveChecksum)
      let second = try one.enter { try InterfaceFacts(name: "second-name") }
      #expect(second == facts)

      try one.shell("ethtool -K lan0 tx off tso off gso off gro on")
      try other.shell("ip link set peer0 down")
      // The kernel notices a lost carrier a little later.
      let isNoticed = try eventually { try !one.enter { try InterfaceFacts(name: "lan0") }.hasCarrier }
      #expect(isNoticed)
      let changed = try one.enter { try InterfaceFacts(name: "lan0") }
      #expect(!changed.offloads.tcpSegmentation && !changed.offloads.transmitChecksum)
      #expect(!changed.offloads.genericSegmentation && changed.offloads.genericReceive)
      #expect(changed.isUp)
      try one.shell("ip link set lan0 down")
      let down = try one.enter { try InterfaceFacts(name: "lan0") }
      #expect(!down.isUp && !down.hasCarrier)
    }

    @Test(
      "an interface that is not there, or has no possible name, is missing",
      arguments: ["lan0", "", "a-name-of-16-bytes"])
    func missing(name: String) throws {
      let namespace = try NetworkNamespace()
      let fault = try namespace.enter {
        #expect(throws: InterfaceFault.self) { try InterfaceFacts(name: name) }
      }
      #expect(fault?.kind == .missing)
      #expect(fault?.name == name)
    }

    @Test("an interface that is no Ethernet is refused as such")
    func notEthernet() throws {
      let namespace = try NetworkNamespace()
      try namespace.shell("ip tuntap add dev tun0 mode tun")
      let fault = try namespace.enter {
        #expect(throws: InterfaceFault.self) { try InterfaceFacts(name: "tun0") }
      }
      #expect(fault?.kind == .notEthernet)
    }
  }
}
