import Foundation
import Glibc
import NATLab
import NATPacketIO
import NATWire

extension Lab {
  /// A client, a gateway that runs `porticod`, and a server, in namespaces of their own:
  /// 192.168.1.2 — lan0 192.168.1.1 | wan0 203.0.113.5 — 203.0.113.9.
  final class Street {
    let client: NetworkNamespace
    let gateway: NetworkNamespace
    let server: NetworkNamespace
    let folder: URL

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

    deinit { try? FileManager.default.removeItem(at: folder) }

    func layInside() throws {
      try gateway.connect("lan0", to: client, "eth0")
      try client.shell("ip address add 192.168.1.2/24 dev eth0 && ip route add default via 192.168.1.1")
    }

    func layOutside(mtu: Int = 1500) throws {
      try gateway.connect("wan0", to: server, "eth0", mtu: mtu)
      // The MAC is another one when the cable is laid again.
      try server.shell("ip address add 203.0.113.9/24 dev eth0")
    }

    var configurationFile: String { folder.appending(path: "portico.yaml").path }

    func configure(_ more: String = "") throws {
      let text = """
        interfaces:
          inside: { name: lan0, address: 192.168.1.1/24 }
          outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.9 }
        \(more)
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: configurationFile))
    }

    /// Starts the daemon, and waits until it forwards.
    func startDaemon() throws -> ChildProcess {
      let daemon = try gateway.start([Lab.program("porticod"), "--config", configurationFile, "--foreground"])
      let log = daemon.read(until: "started")
      guard log.contains("started") else { throw LabFailure(description: "porticod does not start: \(log)") }
      return daemon
    }

    func ping(_ address: String, count: Int = 3, _ options: String = "") throws -> Bool {
      try client.attempt("ping -n -c \(count) -i 0.05 -W 1 \(options) \(address)").code == 0
    }

    /// What curl prints for a request of the client's.
    func curl(_ arguments: String) throws -> (code: Int32, output: String) {
      try client.attempt("cd \(folder.path) && curl -sS -m 60 \(arguments)")
    }
  }
}
