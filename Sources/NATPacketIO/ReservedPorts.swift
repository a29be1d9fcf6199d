internal import FoundationEssentials

/// The ports that the kernel keeps its own sockets from, `net.ipv4.ip_local_reserved_ports`, with those of the gateway
/// among them while it runs.
///
/// What the gateway added stands in a file meanwhile, so that it can be taken back after `kill -9` too: that alone, for
/// the setting is everybody's, and may be another one by then. A socket that asks for a port by its number gets it all
/// the same (``HostSockets``).
public struct ReservedPorts: Sendable {
  /// The setting, in the network namespace of the calling thread.
  public static let setting = "/proc/sys/net/ipv4/ip_local_reserved_ports"
  /// From which ports the kernel takes those of its own sockets.
  public static let localRange = "/proc/sys/net/ipv4/ip_local_port_range"

  private let setting: String
  private let localRange: String
  private let record: String

  /// - Parameter record: the file that says what was added: beside what else lives as long as the machine runs.
  public init(
    record: String, setting: String = ReservedPorts.setting, localRange: String = ReservedPorts.localRange
  ) {
    self.record = record
    self.setting = setting
    self.localRange = localRange
  }

  /// What went wrong, with what was found and what would be right.
  public struct Fault: Error, Equatable, CustomStringConvertible {
    public let description: String
    /// The file may not be written.
    public let isNotPermitted: Bool
  }

  /// Whether something stands in the record that is to be taken back.
  public var isRecorded: Bool { FileManager.default.fileExists(atPath: record) }

  /// Whether this process may write the setting.
  public var isWritable: Bool { FileManager.default.isWritableFile(atPath: setting) }

  /// Whether the kernel keeps its sockets from all these ports already.
  public func holds(_ ports: [ClosedRange<UInt16>]) throws(Fault) -> Bool {
    PortSet(ports).subtracting(try read(setting)).ranges.isEmpty
  }

  /// Adds ports; those that were there before, whoever reserved them, are left as they are.
  ///
  /// - Throws: ``Fault``, and the setting is as it was.
  public func add(_ ports: [ClosedRange<UInt16>]) throws(Fault) {
    let present = try read(setting)
    let new = PortSet(ports).subtracting(present)
    let after = present.union(new)
    guard try !leavesNone(after) else {
      throw Fault(
        description:
          "\(localRange): with \(PortSet(ports).text) reserved, no port is left for the kernel's own sockets; "
          + "expected a pool that leaves some of \(try read(localRange).text)", isNotPermitted: false)
    }
    let mine = (isRecorded ? try read(record) : PortSet([])).union(new)
    // First the record: what it says too much is taken back in vain.
    try write(mine, to: record)
    if !new.ranges.isEmpty { try write(after, to: setting) }
  }

  /// Takes back what was added; nothing to do is no fault.
  public func restore() throws(Fault) {
    guard isRecorded else { return }
    let mine = try read(record)
    let present = try read(setting)
    let after = present.subtracting(mine)
    if after != present { try write(after, to: setting) }
    try? FileManager.default.removeItem(atPath: record)
  }

  private func leavesNone(_ reserved: PortSet) throws(Fault) -> Bool {
    // The range stands there as two numbers.
    try read(localRange).subtracting(reserved).ranges.isEmpty
  }

  private func read(_ path: String) throws(Fault) -> PortSet {
    let text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw Fault(description: "\(path): cannot be read", isNotPermitted: false)
    }
    guard let ports = PortSet(text) else {
      throw Fault(
        description: "\(path): found \(text.prefix(60)); expected ports and ranges such as 8080,10240-32767",
        isNotPermitted: false)
    }
    return ports
  }

  private func write(_ ports: PortSet, to path: String) throws(Fault) {
    do {
      // A setting of the kernel's is no file that could be put aside and renamed.
      try Data((ports.text + "\n").utf8).write(
        to: URL(fileURLWithPath: path), options: path == record ? .atomic : [])
    } catch {
      let code = (error as? CocoaError)?.code
      throw Fault(
        description: "\(path): cannot be written; expected root, or `porticod --kernel-settings set` before",
        isNotPermitted: code == .fileWriteNoPermission || code == .fileWriteVolumeReadOnly)
    }
  }
}

/// A set of ports, as the kernel writes it.
struct PortSet: Equatable {
  /// Ascending, apart from each other with a gap between.
  private(set) var ranges: [ClosedRange<Int>]

  init(_ ranges: [ClosedRange<UInt16>]) {
    self.init(merging: ranges.map { Int($0.lowerBound)...Int($0.upperBound) })
  }

  private init(merging ranges: [ClosedRange<Int>]) {
    self.ranges = ranges.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { merged, range in
      if let last = merged.last, range.lowerBound <= last.upperBound + 1 {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
  }

  /// Reads `8080,10240-32767`, and two numbers with a blank between as a range; nil where it is neither.
  init?(_ text: String) {
    let text = text.split { $0 == "\n" }.first.map(String.init) ?? ""
    let isPair = text.contains { $0 == "\t" || $0 == " " }
    var ranges: [ClosedRange<Int>] = []
    for part in isPair ? [Substring(text)] : text.split(separator: ",") {
      let ends = part.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "\t" || $0 == " " }.map {
        UInt16($0).map(Int.init)
      }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last
      else {
        return nil
      }
      ranges.append(first...last)
    }
    self.init(merging: ranges)
  }

  var text: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(
      separator: ",")
  }

  func union(_ other: PortSet) -> PortSet { PortSet(merging: ranges + other.ranges) }

  func subtracting(_ other: PortSet) -> PortSet {
    PortSet(
      merging: other.ranges.reduce(ranges) { left, gone in
        left.flatMap { range -> [ClosedRange<Int>] in
          guard range.overlaps(gone) else { return [range] }
          return (range.lowerBound < gone.lowerBound ? [range.lowerBound...gone.lowerBound - 1] : [])
            + (gone.upperBound < range.upperBound ? [gone.upperBound + 1...range.upperBound] : [])
        }
      })
  }
}
