import NATKernel
import NATWire
import Testing

@Suite struct KernelRulesTextTests {
  @Test("H1 the rules read the type behind VLAN tags, and frames with several tags behind the ingress hook")
  func rules() {
    let own = KernelRules.Scope([IPv4Address(192, 0, 2, 1)])
    let text = KernelRules.install("portico-lan0", "lan0", own)
    let rules = text.split(separator: "\n").filter { $0.hasPrefix("add rule") }
    #expect(
      rules == [
        "add rule netdev portico-lan0 ingress ip daddr @own drop",
        "add rule netdev portico-lan0 ingress arp daddr ip @own drop",
        "add rule netdev portico-lan0 ingress ether type { 0x8100, 0x88a8 } @ll,116,12 != 0 accept",
        "add rule netdev portico-lan0 ingress meta protocol ip meta pkttype host fib daddr type != local drop",
        "add rule ip portico-lan0 prerouting iifname \"lan0\" ip daddr @own drop",
        "add rule ip portico-lan0 prerouting iifname \"lan0\" meta pkttype host fib daddr type != local drop",
        "add rule arp portico-lan0 input iifname \"lan0\" arp daddr ip @own drop",
      ])
    #expect(!text.contains("socket"))
  }

  @Test("with a shared address the rules keep the gateway's ports from the kernel, and let DHCP clients hear")
  func shared() {
    let scope = KernelRules.Scope([], shared: .init([IPv4Address(192, 0, 2, 1)], tcpPorts: [8080...8081]))
    let text = KernelRules.install("portico-wan0", "wan0", scope)
    #expect(text.contains("add element ip portico-wan0 shared { 192.0.2.1 }\n"))
    #expect(text.contains("add element ip portico-wan0 tcpports { 8080-8081 }\n"))
    let prerouting = text.split(separator: "\n").filter { $0.hasPrefix("add rule ip") }
      .map { $0.replacing("add rule ip portico-wan0 prerouting iifname \"wan0\" ", with: "") }
    #expect(
      prerouting == [
        "ip daddr @own drop",
        "ip daddr @shared tcp dport @tcpports socket transparent { 0, 1 } accept",
        "ip daddr @shared tcp dport @tcpports drop",
        "ip daddr @shared udp dport @udpports socket transparent { 0, 1 } accept",
        "ip daddr @shared udp dport @udpports drop",
        "udp sport 67 udp dport 68 fib daddr type { local, broadcast, multicast } accept",
        "meta pkttype host fib daddr type != local drop",
      ])
  }
}
