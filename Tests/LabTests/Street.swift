import Foundation
import Glibc
import NATKernel
import NATLab
import NATWire
import Testing

extension Lab {
  /// A client, a gateway that runs `porticod`, and a server, in namespaces of their own:
  /// 192.168.1.2 — lan0 192.168.1.1 | wan0 203.0.113.5 — 203.0.113.9.
  final class Street {
    let client: NetworkNamespace
    let gateway: NetworkNamespace
    let server: NetworkNamespace
    let folder: URL
    private var watch: OutsideWatch?
    private var switchboard: NetworkNamespace?

    /// - Parameter offloads: whether the ends of all cables keep their offloads.
    init(offloads: Bool = true, outsideMTU: Int = 1500) throws {
      client = try NetworkNamespace()
      gateway = try NetworkNamespace()
      server = try NetworkNamespace()
      folder = FileManager.default.temporaryDirectory.appending(path: "portico-lab-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try layInside()
      try layOutside(mtu: outsideMTU)
      if !offloads {
        let off = "tx off tso off gso off gro off"
        try client.shell("ethtool -K eth0 \(off)")
        try gateway.shell("ethtool -K lan0 \(off) && ethtool -K wan0 \(off)")
        try server.shell("ethtool -K eth0 \(off)")
      }
      try configure()
    }

    deinit {
      noteWatch()
      try? FileManager.default.removeItem(at: folder)
      // A killed daemon's.
      try? FileManager.default.removeItem(atPath: ReservedPorts.record(for: controlSocket))
    }

    func layInside() throws {
      try gateway.connect("lan0", to: client, "eth0")
      try client.shell("ip address add 192.168.1.2/24 dev eth0 && ip route add default via 192.168.1.1")
    }

    func layOutside(mtu: Int = 1500) throws {
      try gateway.connect("wan0", to: server, "eth0", mtu: mtu)
      // The MAC is another one when the cable is laid again.
      try server.shell("ip address add 203.0.113.9/24 dev eth0")
      noteWatch()
      watch = try OutsideWatch(server)
    }

    /// A second inside host, 192.168.1.3: both stand at a switch in a namespace of its own from here on.
    func addHost() throws -> NetworkNamespace {
      let bridge = try NetworkNamespace()
      let second = try NetworkNamespace()
      try gateway.shell("ip link del lan0")
      try bridge.shell("ip link add br0 type bridge && ip link set br0 up")
      try gateway.connect("lan0", to: bridge, "port0")
      try client.connect("eth0", to: bridge, "port1")
      try second.connect("eth0", to: bridge, "port2")
      for port in 0...2 { try bridge.shell("ip link set port\(port) master br0") }
      for (host, number) in [(client, 2), (second, 3)] {
        try host.shell(
          "ip address add 192.168.1.\(number)/24 dev eth0 && ip route add default via 192.168.1.1")
      }
      switchboard = bridge
      return second
    }

    /// A network behind the server, which becomes its router: 198.51.100.9, by way of 198.51.100.1.
    /// - Parameter mtu: of the router's way there.
    func layFar(mtu: Int = 1500) throws -> NetworkNamespace {
      let far = try NetworkNamespace()
      try server.connect("eth1", to: far, "eth0")
      try server.shell(
        """
        echo 1 >/proc/sys/net/ipv4/ip_forward && ip link set eth1 mtu \(mtu) && \
        ip address add 198.51.100.1/24 dev eth1
        """)
      try far.shell("ip address add 198.51.100.9/24 dev eth0 && ip route add default via 198.51.100.1")
      return far
    }

    /// Ends the watch on the outside wire and gives back what it saw.
    func endWatch() -> String {
      defer { watch = nil }
      return watch?.end() ?? ""
    }

    private func noteWatch() {
      let words = endWatch()
      if words.contains("192.168.") { Issue.record("a private source on the outside wire: \(words)") }
    }

    var controlSocket: String { folder.appending(path: "control.sock").path }

    var configurationFile: String { folder.appending(path: "portico.yaml").path }

    /// - Parameters:
    ///   - more: further lines; the control socket is a part of them where they mention it.
    ///   - hop: the gateway's next hop outside; "" for none.
    func configure(_ more: String = "", hop: String = ", gateway: 203.0.113.9") throws {
      let text = """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24\(hop) }
        \(more)
        \(more.contains("control:") ? "" : "control: { socket: \(controlSocket), group: \"0\" }")
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: configurationFile))
    }

    /// Starts the daemon, and waits until it forwards.
    func startDaemon(_ program: String? = nil) throws -> ChildProcess {
      let daemon = try gateway.start([
        program ?? Lab.program("porticod"), "--config", configurationFile, "--foreground",
      ])
      let log = daemon.read(until: "started")
      guard log.contains("started") else { throw LabFailure(description: "porticod does not start: \(log)") }
      return daemon
    }

    func ping(_ address: String, count: Int = 3, _ options: String = "") throws -> Bool {
      try client.attempt("ping -n -c \(count) -i 0.05 -W 2 \(options) \(address)").code == 0
    }

    /// What curl prints for a request of the client's.
    func curl(_ arguments: String) throws -> (code: Int32, output: String) {
      try client.attempt("cd \(folder.path) && curl -sS -m 300 \(arguments)")
    }
  }
}

/// A capture at the server's end of the outside cable: no packet and no ARP of a private address may ever arrive there.
private final class OutsideWatch {
  private let process: ChildProcess

  init(_ server: NetworkNamespace) throws {
    process = try server.start([
      "/bin/sh", "-c",
      "exec tcpdump -n -l -Q in -i eth0 'ip and src net 192.168.0.0/16 or arp and src net 192.168.0.0/16'",
    ])
    let words = process.read(until: "listening on")
    guard words.contains("listening on") else { throw LabFailure(description: "tcpdump: \(words)") }
  }

  /// To be called once.
  /// - Returns: what it saw.
  func end() -> String {
    process.signal(SIGINT)
    return process.readToEnd()
  }
}
