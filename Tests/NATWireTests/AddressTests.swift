import NATWire
import Testing

@Suite struct AddressTests {
  @Test("addresses are read as they are written, and in no other form")
  func addresses() {
    for text in ["0.0.0.0", "192.168.1.2", "255.255.255.255", "10.0.0.1"] {
      #expect(IPv4Address(text)?.description == text)
    }
    #expect(IPv4Address("192.168.1.2") == IPv4Address(0xC0A8_0102))
    for text in [
      "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "256.0.0.1", "01.2.3.4", "1.2.3.04", "+1.2.3.4",
      "-1.2.3.4",
      "1.2.3.4 ", " 1.2.3.4", "0x1.2.3.4", "1..2.3", "١.2.3.4", "1.2.3.99999999999999999999", "a.b.c.d",
    ] {
      #expect(IPv4Address(text) == nil, "\(text)")
    }
    #expect(IPv4Address(9, 255, 255, 255) < IPv4Address(10, 0, 0, 0))
  }

  @Test("networks clear the bits behind their prefix; an address alone is a /32")
  func networks() throws {
    let network = try #require(IPv4Network("192.168.1.77/24"))
    #expect(network.description == "192.168.1.0/24")
    #expect(network.mask == 0xFFFF_FF00)
    #expect(network.broadcast == IPv4Address(192, 168, 1, 255))
    #expect(network.contains(IPv4Address(192, 168, 1, 0)) && network.contains(IPv4Address(192, 168, 1, 255)))
    #expect(
      !network.contains(IPv4Address(192, 168, 0, 255)) && !network.contains(IPv4Address(192, 168, 2, 0)))
    #expect(IPv4Network("10.1.2.3")?.description == "10.1.2.3/32")
    let everything = try #require(IPv4Network("1.2.3.4/0"))
    #expect(everything.address == .any && everything.contains(.limitedBroadcast))
    for text in ["1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/024", "/24", "1.2.3.4/8/8", "1.2.3/8"] {
      #expect(IPv4Network(text) == nil, "\(text)")
    }
  }

  @Test("RFC 3021: prefixes of 31 and 32 bits have no broadcast address", arguments: [31, 32])
  func pointToPoint(length: Int) {
    #expect(IPv4Network(IPv4Address(10, 0, 0, 0), prefixLength: length).broadcast == nil)
  }

  @Test("networks overlap when one holds the other")
  func overlaps() throws {
    let wide = try #require(IPv4Network("10.0.0.0/8"))
    let narrow = try #require(IPv4Network("10.9.0.0/24"))
    let other = try #require(IPv4Network("11.0.0.0/8"))
    #expect(wide.overlaps(narrow) && narrow.overlaps(wide) && wide.overlaps(wide))
    #expect(!wide.overlaps(other) && !other.overlaps(narrow))
  }

  @Test("MAC addresses")
  func macAddresses() throws {
    let address = try #require(MACAddress("02:50:00:0A:00:ff"))
    #expect(address.rawValue == 0x0250_000A_00FF)
    #expect(address.description == "02:50:00:0a:00:ff")
    #expect(!address.isGroup && MACAddress.broadcast.isGroup)
    #expect(MACAddress("01:00:5e:00:00:01")?.isGroup == true)
    for text in [
      "", "02:50:00:00:00", "02:50:00:00:00:01:02", "2:50:0:0:0:1", "02-50-00-00-00-01", "0g:50:00:00:00:01",
      "+2:50:00:00:00:01",
    ] {
      #expect(MACAddress(text) == nil, "\(text)")
    }
  }

  @Test("endpoints")
  func endpoints() {
    #expect(Endpoint("203.0.113.5:50001")?.description == "203.0.113.5:50001")
    #expect(Endpoint("203.0.113.5:0")?.port == 0)
    #expect(Endpoint("203.0.113.5:65535")?.port == 65535)
    for text in [
      "203.0.113.5", "203.0.113.5:", ":80", "203.0.113.5:65536", "203.0.113.5:080", "203.0.113.5:80:80",
    ] {
      #expect(Endpoint(text) == nil, "\(text)")
    }
    let small = Endpoint(IPv4Address(1), 9)
    #expect(small < Endpoint(IPv4Address(1), 10) && small < Endpoint(IPv4Address(2), 0))
  }

  @Test("an instant ends at the end of the clock")
  func instants() {
    #expect(Instant(nanoseconds: .max - 1).advanced(by: 5) == .never)
    #expect(Instant(nanoseconds: 1).advanced(by: 5) == Instant(nanoseconds: 6))
  }
}
