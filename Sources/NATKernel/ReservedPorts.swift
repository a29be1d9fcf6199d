internal import FoundationEssentials
internal import Glibc

/// The ports that the kernel keeps its own sockets from, `net.ipv4.ip_local_reserved_ports`, with those of the gateway
/// among them while it runs.
///
/// What the gateway added stands in a file meanwhile, so that it can be taken back after `kill -9` too: that alone, for
/// the setting is everybody's, and may be another one by then. The file is its writer's alone (``PrivateFile``): a
/// service's user must not tell root what to write. A socket that asks for a port by its number gets it all the same
/// (``MachineSockets``).
public struct ReservedPorts: Sendable {
  /// The setting, in the network namespace of the calling thread.
  public static let setting = "/proc/sys/net/ipv4/ip_local_reserved_ports"
  /// From which ports the kernel takes those of its own sockets.
  public static let localRange = "/proc/sys/net/ipv4/ip_local_port_range"

  private let setting: String
  private let localRange: String
  private let record: PrivateFile

  /// - Parameter record: the file that says what was added: beside what else lives as long as the machine runs.
  public init(
    record: String, setting: String = ReservedPorts.setting, localRange: String = ReservedPorts.localRange
  ) {
    self.record = PrivateFile(path: record)
    self.setting = setting
    self.localRange = localRange
  }

  /// Where the record of a gateway stands: root's in a folder of root's, whoever the control socket's folder belongs to;
  /// another user's beside the socket.
  ///
  /// - Parameters:
  ///   - socket: the path of the gateway's control socket, which no other gateway has.
  ///   - user: who writes and reads it; nil for whoever asks.
  public static func record(for socket: String, user: UInt32? = nil) -> String {
    guard user ?? geteuid() == 0 else {
      return URL(fileURLWithPath: socket).deletingLastPathComponent().appending(path: "reserved-ports").path
    }
    // As systemd-escape(1) makes a name of a path.
    let name = socket.utf8.drop { $0 == UInt8(ascii: "/") }.map { byte in
      let character = Character(Unicode.Scalar(byte))
      if character == "/" { return "-" }
      let isPlain =
        character.isASCII && (character.isLetter || character.isNumber || "_.:".contains(character))
      return isPlain ? "\(character)" : "\\x" + String(byte, radix: 16)
    }
    return "/run/portico-ports-\(name.joined())"
  }

  /// What went wrong, with what was found and what would be right.
  public struct Fault: Error, Equatable, CustomStringConvertible {
    public let description: String
    /// The file may not be written.
    public let isNotPermitted: Bool

    init(_ description: String, isNotPermitted: Bool = false) {
      self.description = description
      self.isNotPermitted = isNotPermitted
    }
  }

  /// Whether there is a record of what is to be taken back.
  public var isRecorded: Bool { record.isThere }

  /// Whether this process may write the setting, by whatever right.
  public var isWritable: Bool {
    // Safety: the path is not kept.
    unsafe faccessat(AT_FDCWD, setting, W_OK, AT_EACCESS) == 0
  }

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
        "\(localRange): with \(PortSet(ports).text) reserved, no port is left for the kernel's own sockets; "
          + "expected a pool that leaves some of \(try read(localRange).text)")
    }
    // First the record: what it says too much is taken back in vain.
    let before = isRecorded ? try recorded() : nil
    try record.write((before ?? PortSet([])).union(new).text + "\n")
    guard !new.ranges.isEmpty else { return }
    do {
      try write(after, to: setting)
    } catch {
      // Another one may reserve them, which are not to be taken from him.
      if let before { try? record.write(before.text + "\n") } else { record.remove() }
      throw error
    }
  }

  /// Takes back what was added; nothing to do is no fault.
  public func restore() throws(Fault) {
    guard isRecorded else { return }
    let mine = try recorded()
    let present = try read(setting)
    let after = present.subtracting(mine)
    if after != present { try write(after, to: setting) }
    record.remove()
  }

  private func leavesNone(_ reserved: PortSet) throws(Fault) -> Bool {
    // The range stands there as two numbers.
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
