internal import FoundationEssentials
internal import Glibc

/// Adds the gateway's ports to `net.ipv4.ip_local_reserved_ports` while it runs, so that the kernel does not
/// choose them for its own sockets.
///
/// A file records the ports that were added, so that they can be removed even after `kill -9`. Only these are
/// removed, because others may have changed the setting in the meantime. The file is a ``PrivateFile``: the
/// user of a service must not tell root what to write. A program may still bind a reserved port by number
/// (``MachineSockets``).
public struct ReservedPorts: Sendable {
  /// The setting, in the network namespace of the calling thread.
  public static let setting = "/proc/sys/net/ipv4/ip_local_reserved_ports"
  /// The range from which the kernel chooses ports for its own sockets.
  public static let localRange = "/proc/sys/net/ipv4/ip_local_port_range"

  private let setting: String
  private let localRange: String
  private let record: PrivateFile

  /// - Parameter record: the file of added ports, in a folder that is empty after a boot.
  public init(
    record: String, setting: String = ReservedPorts.setting, localRange: String = ReservedPorts.localRange
  ) {
    self.record = PrivateFile(path: record)
    self.setting = setting
    self.localRange = localRange
  }

  /// The path of a gateway's record: root's in /run, another user's beside the control socket.
  ///
  /// - Parameters:
  ///   - socket: the path of the gateway's control socket, which no other gateway has.
  ///   - user: who writes and reads it; nil for the effective user.
  public static func record(for socket: String, user: UInt32? = nil) -> String {
    guard user ?? geteuid() == 0 else {
      return URL(fileURLWithPath: socket).deletingLastPathComponent().appending(path: "reserved-ports").path
    }
    // The path escaped as by systemd-escape(1).
    let name = socket.utf8.drop { $0 == UInt8(ascii: "/") }.map { byte in
      let character = Character(Unicode.Scalar(byte))
      if character == "/" { return "-" }
      let isPlain =
        character.isASCII && (character.isLetter || character.isNumber || "_.:".contains(character))
      return isPlain ? "\(character)" : "\\x" + String(byte, radix: 16)
    }
    return "/run/portico-ports-\(name.joined())"
  }

  /// What went wrong: what was found and what was expected.
  public struct Fault: Error, Equatable, CustomStringConvertible {
    public let description: String
    /// Whether the process may not write the file.
    public let isNotPermitted: Bool

    init(_ description: String, isNotPermitted: Bool = false) {
      self.description = description
      self.isNotPermitted = isNotPermitted
    }
  }

  /// Whether there is a record of added ports.
  public var isRecorded: Bool { record.isThere }

  /// Whether this process may write the setting.
  public var isWritable: Bool {
    // Safety: the path is not kept.
    unsafe faccessat(AT_FDCWD, setting, W_OK, AT_EACCESS) == 0
  }

  /// Whether all these ports are reserved already.
  public func holds(_ ports: [ClosedRange<UInt16>]) throws(Fault) -> Bool {
    PortSet(ports).subtracting(try read(setting)).ranges.isEmpty
  }

  /// Adds ports. Ports that are reserved already are not recorded.
  ///
  /// - Throws: ``Fault``; the setting is then unchanged.
  public func add(_ ports: [ClosedRange<UInt16>]) throws(Fault) {
    let present = try read(setting)
    let new = PortSet(ports).subtracting(present)
    let after = present.union(new)
    guard try !leavesNone(after) else {
      throw Fault(
        "\(localRange): with \(PortSet(ports).text) reserved, no port is left for the kernel's own sockets; "
          + "expected a pool that leaves some of \(try read(localRange).text)")
    }
    // Write the record before the change. An entry too many is harmless: undoing it does nothing.
    let before = isRecorded ? try recorded() : nil
    try record.write((before ?? PortSet([])).union(new).text + "\n")
    guard !new.ranges.isEmpty else { return }
    do {
      try write(after, to: setting)
    } catch {
      // Another program may reserve these ports later; restoring must not remove them then.
      if let before { try? record.write(before.text + "\n") } else { record.remove() }
      throw error
    }
  }

  /// Removes the ports that were added. Does nothing if there is no record.
  public func restore() throws(Fault) {
    guard isRecorded else { return }
    let added = try recorded()
    let present = try read(setting)
    let after = present.subtracting(added)
    if after != present { try write(after, to: setting) }
    record.remove()
  }

  private func leavesNone(_ reserved: PortSet) throws(Fault) -> Bool {
    // The kernel writes the range as two numbers.
    try read(localRange).subtracting(reserved).ranges.isEmpty
  }

  private func recorded() throws(Fault) -> PortSet { try ports(record.read(), of: record.path) }

  private func read(_ path: String) throws(Fault) -> PortSet {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw Fault("\(path): cannot be read")
    }
    return try ports(text, of: path)
  }

  private func ports(_ text: String, of path: String) throws(Fault) -> PortSet {
    guard let ports = PortSet(text) else {
      throw Fault("\(path): found \(text.prefix(60)); expected ports and ranges such as 8080,10240-32767")
    }
    return ports
  }

  private func write(_ ports: PortSet, to path: String) throws(Fault) {
    do {
      try Data((ports.text + "\n").utf8).write(to: URL(fileURLWithPath: path))
    } catch {
      let code = (error as? CocoaError)?.code
      throw Fault(
        "\(path): cannot be written; expected root, or `porticod --kernel-settings set` before",
        isNotPermitted: code == .fileWriteNoPermission || code == .fileWriteVolumeReadOnly)
    }
  }
}

/// A set of ports in the kernel's notation.
struct PortSet: Equatable {
  /// Ascending, neither overlapping nor adjacent.
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

  /// Reads `8080,10240-32767`, or two numbers with a blank between them as a range; nil for anything else.
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
