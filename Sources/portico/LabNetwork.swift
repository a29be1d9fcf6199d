import Foundation
import Glibc
import NATLab

/// A client, a gateway and a server in network namespaces of their own, joined by veth with offloads on.
/// Everything is removed when it is deinitialized.
final class LabNetwork {
  let client: NetworkNamespace
  let gateway: NetworkNamespace
  let server: NetworkNamespace
  let folder: URL

  /// - Parameter purpose: a part of the name of the folder.
  init(_ purpose: String) throws {
    client = try NetworkNamespace()
    gateway = try NetworkNamespace()
    server = try NetworkNamespace()
    folder = FileManager.default.temporaryDirectory.appending(
      path: "portico-\(purpose)-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try gateway.connect("lan0", to: client, "eth0")
    try gateway.connect("wan0", to: server, "eth0")
    // The kernel of the gateway has no addresses and forwards nothing: the daemon alone is the gateway.
    try gateway.shell("echo 0 >/proc/sys/net/ipv4/ip_forward")
    try client.shell("ip address add 192.168.1.2/24 dev eth0 && ip route add default via 192.168.1.1")
    try server.shell("ip address add 203.0.113.9/24 dev eth0")
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  var controlSocket: String { folder.appending(path: "control.sock").path }

  /// Writes a file into the folder, and returns its path.
  func write(_ text: String, to file: String) throws -> String {
    let place = folder.appending(path: file)
    try Data(text.utf8).write(to: place)
    return place.path
  }

  /// Starts `porticod` from the folder of this program, and waits until it forwards.
  /// - Parameter more: further settings.
  func startDaemon(_ more: String = "") throws -> ChildProcess {
    let file = try write(
      """
      interfaces:
        inside: { name: lan0, address: 192.168.1.1/24 }
        outside: { name: wan0, address: 203.0.113.5/24, gateway: 203.0.113.9 }
      control: { socket: \(controlSocket), group: "0" }
      \(more)

      """, to: "portico.yaml")
    let daemon = try gateway.start([try Programs.beside("porticod"), "--config", file])
    let log = daemon.read(until: "started")
    try Interruption.check()
    guard log.contains("started") else { throw LabFailure(description: "porticod does not start: \(log)") }
    return daemon
  }

  /// Has the server drop packets to the discard port at ingress: its interface still counts them.
  func discard() throws {
    guard Programs.has("nft") else { return }
    try server.shell(
      """
      nft 'add table netdev sink; \
      add chain netdev sink ingress { type filter hook ingress device eth0 priority 0; }; \
      add rule netdev sink ingress udp dport 9 drop'
      """)
  }

  /// The MAC address of a neighbour on an interface.
  func nextHop(of host: NetworkNamespace, _ interface: String) throws -> String? {
    let line = try host.shell("ip -4 neighbour show dev \(interface)")
    let words = line.split(whereSeparator: { " \n".contains($0) }).map(String.init)
    return words.firstIndex(of: "lladdr").map { words[$0 + 1] }
  }

  /// Packets that the server has received since the start.
  func arrived() throws -> Int {
    let text = try server.shell("cat /proc/net/dev")
    guard let line = text.split(separator: "\n").first(where: { $0.contains("eth0:") }),
      let fields = line.split(separator: ":").last?.split(separator: " "), fields.count > 1,
      let count = Int(fields[1])
    else { throw LabFailure(description: "no counter in /proc/net/dev: \(text)") }
    return count
  }
}
