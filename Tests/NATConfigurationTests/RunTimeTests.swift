import NATConfiguration
import NATWire
import Testing

/// Static mappings that come by the control socket, and what a reload changes.
@Suite struct RunTimeTests {
  private func configuration(_ text: String = "") throws -> Configuration {
    try Configuration.parse(interfaces + text + "\n", file: "portico.yaml")
  }

  @Test("a static mapping at run time is read as an entry of the file")
  func staticMapping() throws {
    let configuration = try configuration(
      "static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }]")
    let mapping = try configuration.staticMapping(
      from: ["protocol": "udp", "public": "203.0.113.5:8080", "private": "192.168.1.10:80"],
      beside: configuration.statics)
    #expect(
      mapping
        == .portForward(
          .udp, publicEndpoint: Endpoint(IPv4Address(203, 0, 113, 5), 8080),
          privateEndpoint: Endpoint(IPv4Address(192, 168, 1, 10), 80)))
  }

  @Test(
    "ST-3 ST-5 ST-11 the terms of a forward are read in a file and at run time, and say themselves as they were written"
  )
  func terms() throws {
    let entries = [
      ["direction": "inbound", "lifetime": "5400s"], ["remote": "198.51.100.7", "once": "true"],
      ["remote": "198.51.100.7:443"], ["remote": "198.51.100.0/24"], ["remote": "0.0.0.0/0"],
    ]
    for (index, terms) in entries.enumerated() {
      let ends = ["protocol": "tcp", "public": "203.0.113.5:\(8080 + index)", "private": "192.168.1.10:80"]
      let entry = ends.merging(terms) { first, _ in first }
      let text = entry.map { "\($0): '\($1)'" }.joined(separator: ", ")
      let written = try configuration("static: [{ \(text) }]")
      let mapping = try configuration().staticMapping(from: entry, beside: [])
      #expect(written.statics == [mapping] && mapping.entry == entry)
      let settings = written.settings.filter { $0.name.hasPrefix("static[") }.map {
        "\($0.name): \($0.value)"
      }
      let path = "static[tcp 203.0.113.5:\(8080 + index)]"
      #expect(
        Set(settings)
          == Set(terms.map { "\(path).\($0): \($1)" } + ["\(path).private: 192.168.1.10:80"]))
    }
    // What says nothing new is as if it were not there, and a lifetime is one however it is written.
    let plain = try configuration(
      "static: [{ protocol: tcp, public: '203.0.113.5:80', private: '192.168.1.10:80', direction: both, once: no }]"
    )
    #expect(plain.statics[0].terms == Configuration.ForwardTerms())
    let long = try configuration().staticMapping(
      from: [
        "protocol": "tcp", "public": "203.0.113.5:80", "private": "192.168.1.10:80", "lifetime": "1h30m",
      ],
      beside: [])
    #expect(long.terms.lifetimeNanoseconds == 5_400_000_000_000)
  }

  @Test(
    "ST-9 a static mapping at run time is refused as in the file",
    arguments: [
      (
        ["protocol": "tcp", "public": "203.0.113.5:8080", "private": "192.168.1.11:80"],
        "public: found \"203.0.113.5:8080\", which another mapping maps to 192.168.1.10:80; expected each public endpoint once"
      ),
      (
        ["protocol": "all", "public": "203.0.113.7", "private": "192.168.1.20"],
        "private: found \"192.168.1.20\", which another mapping maps to 203.0.113.6; expected one public address for a private one where protocol is all"
      ),
      (
        ["protocol": "all", "public": "203.0.113.5", "private": "192.168.1.30"],
        "public: found \"203.0.113.5\", which is in the pool; expected an address of its own, or a nat.pool without it"
      ),
      (
        ["public": "203.0.113.5:81", "privat": "192.168.1.30"],
        """
        privat: found an unknown key; expected private
        protocol: found nothing; expected tcp, udp, icmp or all
        private: found nothing; expected an address, and a port unless protocol is all
        """
      ),
    ])
  func refusedStatics(entry: [String: String], message: String) throws {
    let configuration = try configuration(
      """
      static:
        - { protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.10:80 }
        - { protocol: all, public: 203.0.113.6, private: 192.168.1.20 }
      """)
    do {
      _ = try configuration.staticMapping(from: entry, beside: configuration.statics)
      Issue.record("accepted")
    } catch {
      #expect(error.kind == .content)
      #expect(error.description == message)
    }
  }

  @Test("changes name each setting that differs, with before and after")
  func changes() throws {
    let before = try configuration(
      """
      nat: { port-rest: 1m }
      static:
        - { protocol: tcp, public: 203.0.113.5:80, private: 192.168.1.10:80 }
        - { protocol: tcp, public: 203.0.113.5:81, private: 192.168.1.10:80 }
      """)
    let after = try configuration(
      """
      nat: { pool: [{ address: 203.0.113.5, ports: 5000 }], port-rest: 60s, tcp: { mss-clamp: off } }
      static:
        - { protocol: tcp, public: 203.0.113.5:82, private: 192.168.1.10:80 }
        - { protocol: tcp, public: 203.0.113.5:81, private: 192.168.1.11:80 }
      """)
    #expect(before.changes(to: before).isEmpty)
    #expect(
      before.changes(to: after).map { "\($0.setting): \($0.before ?? "none") -> \($0.after ?? "none")" } == [
        "nat.pool[203.0.113.5].ports: 1024-65535 -> 5000", "nat.tcp.mss-clamp: auto -> off",
        "static[tcp 203.0.113.5:82].private: none -> 192.168.1.10:80",
        "static[tcp 203.0.113.5:81].private: 192.168.1.10:80 -> 192.168.1.11:80",
        "static[tcp 203.0.113.5:80].private: 192.168.1.10:80 -> none",
      ])
  }
}
