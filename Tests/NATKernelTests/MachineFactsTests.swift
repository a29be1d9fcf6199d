import NATWire
import TestSupport
import Testing

@testable import NATKernel

/// Messages of rtnetlink as a kernel 6.18 sent them when `ip` changed addresses and routes of wan0, its interface 3.
@Suite("What the kernel says of the host's addresses")
struct MachineFactsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let command: String
    let message: String
    let news: [MachineChange]

    var testDescription: String { command }
  }

  private static func address(_ last: UInt8, _ change: (inout MachineFacts.Address) -> Void = { _ in })
    -> MachineFacts.Address
  {
    var address = MachineFacts.Address(index: 3, address: IPv4Address(203, 0, 113, last), prefixLength: 24)
    change(&address)
    return address
  }

  private static func route(_ last: UInt8, _ metric: UInt32, source: IPv4Address? = nil) -> MachineFacts.Route
  {
    MachineFacts.Route(index: 3, gateway: IPv4Address(203, 0, 113, last), metric: metric, source: source)
  }

  private static let added =
    "500000001400000056ca056b9c5d0000021880000300000008000100cb00710508000200cb0071050900030077616e3000000000080008008000000014000600ffffffffffffffff95e4150095e41500"
  private static let byDefault =
    "3c0000001800000659ca056be25d000002000000fe0300010000000008000f00fe000000080006006400000008000500cb0071010800040003000000"
  private static let twoWays =
    "50000000180000065bca056b2d5e000002000000fe0300010000000008000f00fe000000080006000a00000024000900100000000300000008000500cb007101100000020300000008000500cb007104"

  static let cases = [
    Case(command: "ip addr add 203.0.113.5/24", message: added, news: [.address(address(5))]),
    Case(
      command: "ip addr add 203.0.113.6/24, the second",
      message:
        "500000001400000057ca056ba65d0000021881000300000008000100cb00710608000200cb0071060900030077616e3000000000080008008100000014000600ffffffffffffffffcae41500cae41500",
      news: [.address(address(6) { $0.isSecondary = true })]),
    Case(
      command: "ip addr add 169.254.7.7/16 scope link",
      message:
        "500000001400000057ca056ba85d0000021080fd0300000008000100a9fe070708000200a9fe07070900030077616e3000000000080008008000000014000600ffffffffffffffff01e5150001e51500",
      news: [
        .address(
          MachineFacts.Address(
            index: 3, address: IPv4Address(169, 254, 7, 7), prefixLength: 16, isLocal: true))
      ]),
    Case(
      command: "ip addr add 10.8.0.2 peer 10.8.0.1/32",
      message:
        "500000001400000058ca056bb65d00000220800003000000080001000a080001080002000a0800020900030077616e3000000000080008008000000014000600ffffffffffffffff36e5150036e51500",
      news: [.address(MachineFacts.Address(index: 3, address: IPv4Address(10, 8, 0, 2), prefixLength: 32))]),
    Case(
      command: "ip addr change 203.0.113.5/24 preferred_lft 0 valid_lft 100",
      message:
        "500000001400000058ca056bc95d0000021820000300000008000100cb00710508000200cb0071050900030077616e3000000000080008002000000014000600000000006400000095e415006ae51500",
      news: [.address(address(5) { $0.isDeprecated = true })]),
    Case(
      command: "ip addr del 203.0.113.6/24",
      message:
        "50000000150000005dca056b435e0000021881000300000008000100cb00710608000200cb0071060900030077616e3000000000080008008100000014000600ffffffffffffffffcae41500cae41500",
      news: [.addressRemoved(address(6) { $0.isSecondary = true })]),
    Case(
      command: "ip route add default via 203.0.113.1 metric 100", message: byDefault,
      news: [.route(route(1, 100))]),
    Case(
      command: "ip route add default via 203.0.113.2 src 203.0.113.6 metric 50",
      message:
        "440000001800000659ca056bfa5d000002000000fe0300010000000008000f00fe000000080006003200000008000700cb00710608000500cb0071020800040003000000",
      news: [.route(route(2, 50, source: IPv4Address(203, 0, 113, 6)))]),
    Case(
      command: "ip route add default metric 10 nexthop via 203.0.113.1 nexthop via 203.0.113.4 weight 3",
      message: twoWays, news: [.route(route(1, 10)), .route(route(4, 10))]),
    Case(
      command: "ip route del default via 203.0.113.1 metric 100",
      message:
        "3c000000190000005cca056b415e000002000000fe0300010000000008000f00fe000000080006006400000008000500cb0071010800040003000000",
      news: [.routeRemoved(route(1, 100))]),
    Case(
      command: "ip route add default via 203.0.113.3 table 77",
      message:
        "34000000180000065aca056b165e0000020000004d0300010000000008000f004d00000008000500cb0071030800040003000000",
      news: []),
    Case(
      command: "ip route add 198.51.100.0/24 via 203.0.113.1",
      message:
        "3c000000180000065aca056b2b5e000002180000fe0300010000000008000f00fe00000008000100c633640008000500cb0071010800040003000000",
      news: []),
    Case(
      command: "ip route add blackhole default metric 900",
      message: "2c000000180000065bca056b385e000002000000fe0300060000000008000f00fe0000000800060084030000",
      news: []),
    Case(
      command: "ip route add default dev wan0 metric 950: without a next hop",
      message:
        "34000000180000065cca056b3f5e000002000000fe03fd010000000008000f00fe00000008000600b60300000800040003000000",
      news: []),
    Case(
      command: "ip link set wan0 down, the header alone",
      message: "2000000010000000000000000000000000000100030000000210000001000000", news: [.link(index: 3)]),
    Case(
      command: "a local address of IPv6",
      message: "2c00000014000000000000000000000a0a8080fe010000001400010000000000000000000000000000000001",
      news: []),
  ]

  private static func bytes(_ text: String) -> [UInt8] {
    let digits = Array(text.utf8)
    func value(_ digit: UInt8) -> UInt8 { digit <= 57 ? digit - 48 : digit - 87 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) }
  }

  @Test("RC2 each message says what ip did", arguments: cases)
  func reads(_ one: Case) { #expect(MachineChange.read(Self.bytes(one.message)) == one.news) }

  @Test("several messages of one datagram are read in their order")
  func several() {
    let datagram = Self.bytes(Self.added + Self.byDefault)
    #expect(MachineChange.read(datagram) == [.address(Self.address(5)), .route(Self.route(1, 100))])
  }

  @Test(
    "a message that is cut anywhere, or whose lengths lie, says nothing or less, and reads nothing beyond it")
  func damaged() {
    for text in [Self.added, Self.byDefault, Self.twoWays] {
      let whole = Self.bytes(text)
      let news = MachineChange.read(whole)
      for count in 0..<whole.count {
        #expect(MachineChange.read(Array(whole[..<count])) == [])
        // The header says that it is whole, and the rest of it lies in the datagram's end.
        var short = Array(whole[..<count])
        guard count >= 16 else { continue }
        short[0] = UInt8(count)
        #expect(MachineChange.read(short).allSatisfy { news.contains($0) || Self.isPart($0) })
      }
      for place in whole.indices {
        for value in [0, 1, 3, 4, 0x7F, 0xFF] as [UInt8] {
          var changed = whole
          changed[place] = value
          _ = MachineChange.read(changed)
        }
      }
    }
  }

  /// Without the attributes that were cut off.
  private static func isPart(_ news: MachineChange) -> Bool {
    switch news {
    case .address(let address): address.index == 3
    case .route(let route): route.index == 3 && route.gateway.rawValue >> 8 == 0xCB0071
    case .addressRemoved, .routeRemoved, .link: false
    }
  }

  // MARK: Which address

  @Test(
    "RC2 of several addresses: the route's source, else the one beside the next hop, else the first; no link-local one"
  )
  func chooses() {
    let far = MachineFacts.Address(index: 3, address: IPv4Address(10, 0, 0, 7), prefixLength: 8)
    let local = MachineFacts.Address(
      index: 3, address: IPv4Address(169, 254, 7, 7), prefixLength: 16, isLocal: true)
    let second = Self.address(6) { $0.isSecondary = true }
    let old = Self.address(4) { $0.isDeprecated = true }
    let elsewhere = MachineFacts.Address(index: 4, address: IPv4Address(192, 0, 2, 1), prefixLength: 24)
    var facts = MachineFacts(addresses: [elsewhere, local, far, old, Self.address(5), second])
    #expect(facts.address(of: 3) == far)
    facts.routes = [Self.route(1, 100), MachineFacts.Route(index: 4, gateway: IPv4Address(192, 0, 2, 254))]
    #expect(facts.address(of: 3) == Self.address(5))
    #expect(facts.route(by: 3) == Self.route(1, 100))
    facts.routes.append(Self.route(2, 50, source: second.address))
    #expect(facts.address(of: 3) == second && facts.route(by: 3)?.metric == 50)
    #expect(MachineFacts(addresses: [local]).address(of: 3) == nil)
    #expect(MachineFacts(addresses: [old]).address(of: 3) == old)
    #expect(facts.address(of: 9) == nil && facts.route(by: 9) == nil)
  }
}
