import Foundation
import Glibc
import NATLab
import Testing

extension Lab {
  @Suite struct DoctorTests {
    /// What the doctor says in the gateway's namespace.
    /// - Parameter wrapper: what runs it.
    private func ask(_ street: Street, by wrapper: String = "") throws -> (code: Int32, output: String) {
      try street.gateway.attempt(
        "exec \(wrapper) \(Lab.program("portico")) doctor --config \(street.configurationFile)")
    }

    @Test("a good machine: nothing is wrong, before a daemon runs and while it does")
    func good() throws {
      let street = try Street()
      try street.gateway.shell("echo 0 >/proc/sys/net/ipv4/ip_forward")
      let before = try ask(street)
      #expect(before.code == 0 && !before.output.contains("wrong"), "\(before.output)")
      #expect(before.output.contains("its kernel rules can be installed"))
      #expect(before.output.contains("the next hop 203.0.113.9 answers"))
      #expect(before.output.contains("the kernel answers for none of the gateway's addresses"))
      #expect(try street.gateway.shell("nft list ruleset") == "")
      let daemon = try street.startDaemon()
      try street.configure("workers: 2")
      let during = try ask(street)
      #expect(during.output.contains("workers: found 2; expected 1"), "\(during.output)")
      #expect(during.code == 0 && during.output.contains("its kernel rules are in place"), "\(during.output)")
      #expect(try street.ping("203.0.113.9"))
      daemon.expectEnd()
    }

    @Test("what is wrong is named with the command that mends it, and is right after that command")
    func wrong() throws {
      let street = try Street()
      try street.configure("guard: off")
      try street.gateway.shell(
        """
        ip link set lan0 down && ip address add 203.0.113.5/32 dev lo && \
        echo 1 >/proc/sys/net/ipv4/conf/wan0/forwarding && echo 0 >/proc/sys/net/ipv4/conf/lan0/forwarding
        """)
      let result = try ask(street)
      #expect(result.code == 1)
      let mends = result.output.split(separator: "\n").compactMap { line in
        line.contains("mend: ") ? String(line.split(separator: "mend: ")[1]) : nil
      }
      #expect(
        mends == [
          "ip link set lan0 up", "sysctl -w net/ipv4/conf/wan0/forwarding=0",
          "ip address del 203.0.113.5/32 dev lo",
        ], "\(result.output)")
      for command in mends { try street.gateway.shell(command) }
      #expect(try eventually { try ask(street).code == 0 })
    }

    @Test(
      "the gateway's addresses that the kernel takes for its own are named, by an interface or by a local route"
    )
    func kernel() throws {
      let street = try Street()
      try street.gateway.shell(
        """
        ip address add 192.168.1.1/24 dev lan0 && ip route add local 203.0.113.5 dev lo && \
        echo 0 >/proc/sys/net/ipv4/ip_forward
        """)
      let local = "no interface has the gateway's address 203.0.113.5, but the kernel takes it for its own"
      let before = try ask(street)
      #expect(
        before.code == 0 && before.output.contains("note   \(local); the kernel rules of the gateway keep"),
        "\(before.output)")
      #expect(
        before.output.contains("192.168.1.1 as its own; the kernel rules of the gateway keep"),
        "\(before.output)")
      #expect(!before.output.contains("the kernel answers for none"))
      try street.configure("guard: off")
      let bare = try ask(street)
      #expect(bare.code == 1 && bare.output.contains("wrong  \(local)"), "\(bare.output)")
    }

    @Test("an address that another has, a next hop that is silent, and a missing interface are found")
    func network() throws {
      let street = try Street()
      try street.server.shell(
        "ip address del 203.0.113.9/24 dev eth0 && ip address add 203.0.113.5/24 dev eth0")
      try street.gateway.shell("ip link set lan0 name lan1")
      let result = try ask(street)
      #expect(result.code == 1)
      #expect(result.output.contains("wrong  inside interface lan0: not there"), "\(result.output)")
      #expect(result.output.contains("203.0.113.5 is another's"), "\(result.output)")
      #expect(result.output.contains("the next hop 203.0.113.9 does not answer ARP"), "\(result.output)")
    }

    @Test("a bad configuration is refused, and a lost carrier found")
    func others() throws {
      let street = try Street()
      try street.configure("nat: { portchoice: random }")
      #expect(try ask(street).code == 78)
      try street.configure()
      try street.server.shell("ip link set eth0 down")
      let result = try ask(street)
      #expect(result.code == 1 && result.output.contains("nothing at the other end"), "\(result.output)")
    }
  }
}
