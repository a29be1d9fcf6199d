import Foundation
import NATConfiguration
import NATWire
import ReferenceNAT

/// Writes a conversation as a scenario folder. Then `portico replay` of two versions can be compared over it.
///
/// The folder has the files of `Tests/ReplayTests/Scenarios`. What is expected comes from the reference. Where chance
/// chooses a port, the reference takes the choice of the engine with `--seed 1`.
struct ScenarioFolder {
  private let configuration: Configuration
  private let inputs: [Input]

  /// - Parameter inputs: in the order in which they were given; a capture has them in that order for each side.
  init(_ configuration: Configuration, _ inputs: [Input]) {
    self.configuration = configuration
    self.inputs = inputs
  }

  func write(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func write(_ name: String, _ text: String) throws {
      try text.write(to: folder.appending(path: name), atomically: false, encoding: .utf8)
    }
    try write("portico.yaml", configuration.yaml)
    for side in Side.allCases {
      let capture = inputs.filter { $0.side == side }.map { Record($0.stamp, $0.wireLength, $0.bytes) }
      let isEthernet = inputs.first { $0.side == side }?.isEthernet ?? true
      try pcap(capture, isEthernet: isEthernet).write(to: folder.appending(path: "\(side).pcap"))
    }
    var engine = EngineRun(configuration, seed: 1)
    var reference = ReferenceRun(configuration)
    var sent: [ReferenceFrame] = []
    for input in merged() { sent += reference.receive(input, engineSent: engine.receive([input])) }
    for side in ReferenceSide.allCases {
      let records = sent.filter { $0.side == side }.map { Record($0.nanoseconds, $0.bytes.count, $0.bytes) }
      try pcap(records, isEthernet: true).write(to: folder.appending(path: "expected-\(side).pcap"))
    }
    try write("expected-table.json", reference.tableJSON)
    try write("expected-stats.json", reference.statsJSON)
  }

  /// Row "sequence of a merge": the head with the smaller stamp first, inside first among equals.
  private func merged() -> [Input] {
    var inside = inputs.filter { $0.side == .inside }[...]
    var outside = inputs.filter { $0.side == .outside }[...]
    var merged: [Input] = []
    while let first = inside.first, let second = outside.first {
      merged.append(first.stamp <= second.stamp ? inside.removeFirst() : outside.removeFirst())
    }
    return merged + inside + outside
  }
}

// MARK: pcap

private struct Record {
  var stamp: UInt64
  var wireLength: Int
  var bytes: [UInt8]

  init(_ stamp: UInt64, _ wireLength: Int, _ bytes: [UInt8]) {
    self.stamp = stamp
    self.wireLength = wireLength
    self.bytes = bytes
  }
}

/// A pcap file with nanoseconds, the lower byte first.
private func pcap(_ records: [Record], isEthernet: Bool) -> Data {
  func little(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  var file = Data(little(0xA1B2_3C4D) + [2, 0, 4, 0] + little(0) + little(0) + little(262_144))
  file += little(isEthernet ? 1 : 101)
  for record in records {
    file += little(Int(record.stamp / 1_000_000_000)) + little(Int(record.stamp % 1_000_000_000))
    file += little(record.bytes.count) + little(record.wireLength) + record.bytes
  }
  return file
}

// MARK: JSON

extension ReferenceRun {
  /// The table as `portico replay --table` writes it, but for the layout.
  fileprivate var tableJSON: String {
    let bindings = table.map { binding in
      let sessions = binding.sessions.map { session in
        #"{"remote":\#(json(session.remote)),"state":"\#(session.state.rawValue)","#
          + #""idleSeconds":\#(seconds(session.idle)),"expiresInSeconds":\#(seconds(session.expiresIn)),"#
          + #""packetsOut":\#(session.packetsOut),"bytesOut":\#(session.bytesOut),"#
          + #""packetsIn":\#(session.packetsIn),"bytesIn":\#(session.bytesIn),"hairpin":\#(session.hairpin)}"#
      }
      return #"{"protocol":"\#(binding.flow.rawValue)","kind":"\#(binding.kind.rawValue)","#
        + #""private":\#(json(binding.privateEnd)),"public":\#(json(binding.publicEnd)),"#
        + #""ageSeconds":\#(seconds(binding.age)),"sessions":[\#(sessions.joined(separator: ","))]}"#
    }
    return #"{"bindings":[\#(bindings.joined(separator: ",\n"))]}"# + "\n"
  }

  /// The counters as `portico replay --stats` writes them, but for the layout.
  fileprivate var statsJSON: String {
    let stats = stats
    func side(_ side: ReferenceStats.Interface) -> String {
      #"{"packetsReceived":\#(side.packetsReceived),"bytesReceived":\#(side.bytesReceived),"#
        + #""packetsSent":\#(side.packetsSent),"bytesSent":\#(side.bytesSent),"captureDropped":0}"#
    }
    let pool = stats.pool.map {
      #"{"address":"\#($0.address)","protocol":"\#($0.flow.rawValue)","ports":\#($0.ports),"#
        + #""inUse":\#($0.inUse),"resting":\#($0.resting)}"#
    }
    let drops = stats.drops.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }
    let events = stats.events
    return #"{"uptimeSeconds":\#(seconds(stats.uptimeNanoseconds)),"bindings":\#(stats.bindings),"#
      + #""sessions":\#(stats.sessions),"inside":\#(side(stats.inside)),"outside":\#(side(stats.outside)),"#
      + #""pool":[\#(pool.joined(separator: ","))],"drops":{\#(drops.joined(separator: ","))},"#
      + #""events":{"bindingsCreated":\#(events.bindingsCreated),"sessionsCreated":\#(events.sessionsCreated),"#
      + #""sessionsExpired":\#(events.sessionsExpired),"hairpins":\#(events.hairpins),"#
      + #""icmpErrorsSuppressed":\#(events.icmpErrorsSuppressed),"leftToKernel":0}}"# + "\n"
  }

  private func json(_ end: ReferenceEndpoint) -> String {
    #"{"address":"\#(end.address)","port":\#(end.port)}"#
  }

  private func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }
}
