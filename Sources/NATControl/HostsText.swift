/// The inside hosts as text.
public enum HostsText {
  public static func render(_ hosts: HostsDocument) -> String {
    let rows = hosts.hosts.map {
      [
        $0.address, "\($0.sessions)", "\($0.dynamicBindings)", "\($0.staticBindings)",
        HumanText.traffic(packets: $0.packetsOut, bytes: $0.bytesOut),
        HumanText.traffic(packets: $0.packetsIn, bytes: $0.bytesIn),
      ]
    }
    let rest = hosts.total - hosts.hosts.count
    return TextColumns.text(["HOST", "SESSIONS", "DYNAMIC", "STATIC", "OUT", "IN"], rows)
      + (rest > 0 ? "and \(rest) more\n" : "")
  }
}
