import Foundation
import Glibc
import NATLab
import Testing

extension Lab {
  /// What the programs say about the gateway that people use to find out about theirs: coturn's
  /// `turnutils_natdiscovery` (RFC 5780) and `stun` (RFC 3489), towards coturn's server on two addresses and ports.
  @Suite struct DiscoveryTests {
    /// A filtering of UDP, and each program's words for it.
    struct Filtering: CustomTestStringConvertible {
      let setting: String
      let natdiscovery: String
      let stun: String
      var testDescription: String { setting }

      static let all = [
        Filtering(
          setting: "endpoint-independent", natdiscovery: "NAT with Endpoint Independent Filtering!",
          stun: "Independent Filter"),
        Filtering(
          setting: "address-dependent", natdiscovery: "NAT with Address Dependent Filtering!",
          stun: "Address Dependent Filter"),
        Filtering(
          setting: "address-and-port-dependent",
          natdiscovery: "NAT with Address and Port Dependent Filtering!", stun: "Port Dependent Filter"),
      ]
    }

    @Test(
      "MAP1 FIL1 FIL2 FIL3 HP1 coturn and stun find endpoint-independent mapping, the filtering that is set, and hairpin",
      arguments: Filtering.all)
    func discovery(filtering: Filtering) throws {
      let street = try Street()
      // Both programs could take a preserved port for endpoint-independent mapping.
      try street.configure("nat: { filtering: \(filtering.setting), port-choice: random }")
      try street.server.shell("ip address add 203.0.113.10/24 dev eth0")
      let folder = street.folder.path
      let server = try street.server.start([
        "/bin/sh", "-c",
        """
        exec turnserver -n -L 203.0.113.9 -L 203.0.113.10 -p 3478 --alt-listening-port 3479 --no-auth --no-tls \
        --no-dtls --no-cli --log-file stdout --simple-log --pidfile \(folder)/pid --userdb \(folder)/users
        """,
      ])
      // It says nothing when it listens: all four of its sockets are there when it does.
      #expect(
        try eventually {
          let sockets = try street.server.shell("ss -lunH")
          return ["203.0.113.9:3478", "203.0.113.9:3479", "203.0.113.10:3478", "203.0.113.10:3479"]
            .allSatisfy { sockets.contains($0 + " ") }
        })
      let daemon = try street.startDaemon()
      // Side by side: most of their time they wait for answers that do not come.
      let discover = "timeout 30 turnutils_natdiscovery -p 3478 203.0.113.9"
      let mappingTool = try street.client.start(["/bin/sh", "-c", "exec \(discover) -m"])
      let filterTool = try street.client.start(["/bin/sh", "-c", "exec \(discover) -f"])
      let hairpinTool = try street.client.start(["/bin/sh", "-c", "exec \(discover) -H"])
      let stun = try street.client.attempt("timeout 30 stun 203.0.113.9").output
      let mapping = mappingTool.readToEnd()
      #expect(mapping.contains("NAT with Endpoint Independent Mapping!"), "\(mapping)")
      // It says so of any NAT whose first two answers agree; it must have seen both, at one endpoint.
      let endpoints = mapping.matches(of: #/UDP reflexive addr: (203\.0\.113\.5:\d+)/#).map { $0.1 }
      #expect(endpoints.count == 2 && Set(endpoints).count == 1, "\(mapping)")
      let filter = filterTool.readToEnd()
      #expect(filter.contains(filtering.natdiscovery), "\(filter)")
      // These are its words when its own request came back.
      let hairpin = hairpinTool.readToEnd()
      #expect(hairpin.contains("Received a request (maybe a successful hairpinning)"), "\(hairpin)")
      #expect(
        stun.contains("Primary: Independent Mapping, \(filtering.stun), random port, will hairpin"), "\(stun)"
      )
      // One of coturn's and stun's two, the answer to which is a packet of its own.
      #expect(street.report(daemon).contains(#/hairpins +2/#))
      server.signal(SIGTERM)
      _ = server.readToEnd()
      daemon.expectEnd()
    }
  }
}
