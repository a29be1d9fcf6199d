/// Frames as text, to find out why a test failed. Shares no code with the gateway.
public enum PacketText {
  /// One line for each header.
  public static func describe(_ frame: [UInt8]) -> String {
    var text = Lines(frame)
    text.ethernet()
    return text.lines.joined(separator: "\n")
  }

  /// Sixteen bytes a line; those that differ from `other` stand in brackets.
  public static func dump(_ bytes: [UInt8], comparedWith other: [UInt8]? = nil) -> String {
    stride(from: 0, to: bytes.count, by: 16).map { start in
      let cells = (start..<min(start + 16, bytes.count)).map { index in
        let isSame = other.map { index < $0.count && $0[index] == bytes[index] } ?? true
        return isSame ? " \(hex(bytes[index], 2)) " : "[\(hex(bytes[index], 2))]"
      }
      return "  \(hex(start, 4)) " + cells.joined()
    }.joined(separator: "\n")
  }

  public static func hex(_ value: some BinaryInteger, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}

/// Reads a frame from its start. Missing bytes are reported, never read.
private struct Lines {
  let bytes: [UInt8]
  var lines: [String] = []

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func word(_ offset: Int) -> Int { Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }

  func long(_ offset: Int) -> Int { word(offset) << 16 | word(offset + 2) }

  func address(_ offset: Int) -> String { bytes[offset..<offset + 4].map(String.init).joined(separator: ".") }

  func mac(_ offset: Int) -> String {
    bytes[offset..<offset + 6].map { PacketText.hex($0, 2) }.joined(separator: ":")
  }

  mutating func ethernet() {
    guard bytes.count >= 14 else { return lines.append("Ethernet: cut after \(bytes.count) bytes") }
    var type = word(12)
    var payload = 14
    var tags = ""
    while type == 0x8100 || type == 0x88A8, bytes.count >= payload + 4 {
      tags += " VLAN \(word(payload) & 0xFFF)"
      type = word(payload + 2)
      payload += 4
    }
    lines.append(
      "Ethernet \(mac(6)) > \(mac(0)) type 0x\(PacketText.hex(type, 4))\(tags) length \(bytes.count)")
    switch type {
    case 0x0800: ipv4(payload, limit: bytes.count, indent: "")
    case 0x0806: arp(payload)
    default: break
    }
  }

  mutating func arp(_ at: Int) {
    guard bytes.count >= at + 28 else { return lines.append("ARP: cut") }
    lines.append(
      "ARP operation \(word(at + 6)) sender \(mac(at + 8)) \(address(at + 14)) target \(mac(at + 18)) "
        + address(at + 24))
    trailer(at + 28)
  }

  mutating func trailer(_ end: Int) {
    if end < bytes.count { lines.append("trailer of \(bytes.count - end) bytes") }
  }

  mutating func ipv4(_ at: Int, limit: Int, indent: String) {
    guard limit >= at + 20 else { return lines.append("\(indent)IPv4: cut") }
    let header = Int(bytes[at] & 15) * 4
    let total = word(at + 2)
    let field = word(at + 6)
    var flags: [String] = []
    if field & 0x8000 != 0 { flags.append("reserved") }
    if field & 0x4000 != 0 { flags.append("DF") }
    if field & 0x2000 != 0 { flags.append("MF") }
    if field & 0x1FFF != 0 { flags.append("offset \((field & 0x1FFF) * 8)") }
    let protocolNumber = bytes[at + 9]
    let isWhole = header >= 20 && limit >= at + header
    let check = isWhole ? InternetChecksum.of(bytes[at..<at + header]) == 0 : nil
    lines.append(
      "\(indent)IPv4 \(address(at + 12)) > \(address(at + 16)) version \(bytes[at] >> 4) header \(header) "
        + "TOS 0x\(PacketText.hex(bytes[at + 1], 2)) length \(total) id \(word(at + 4)) "
        + "\(flags.isEmpty ? "no flags" : flags.joined(separator: " ")) TTL \(bytes[at + 8]) "
        + "protocol \(protocolNumber) checksum 0x\(PacketText.hex(word(at + 10), 4)) \(verdict(check))")
    guard isWhole else { return }
    if header > 20 {
      lines.append(
        "\(indent)  options "
          + bytes[at + 20..<at + header].map { PacketText.hex($0, 2) }.joined(separator: " "))
    }
    let end = min(limit, at + max(total, header))
    if indent.isEmpty, at + total > bytes.count {
      lines.append("cut \(at + total - bytes.count) bytes short")
    }
    if field & 0x1FFF != 0 {
      lines.append("\(indent)payload of a later fragment, \(end - at - header) bytes")
    } else {
      let isComplete = field & 0x2000 == 0 && at + total <= limit
      transport(protocolNumber, at + header, end: end, network: at, isComplete: isComplete, indent: indent)
    }
    if indent.isEmpty { trailer(at + total) }
  }

  mutating func transport(
    _ protocolNumber: UInt8, _ at: Int, end: Int, network: Int, isComplete: Bool, indent: String
  ) {
    let length = end - at
    let segment = bytes[at..<max(at, end)]
    let pseudoHeader = InternetChecksum.pseudoHeader(
      source: Array(bytes[network + 12..<network + 16]),
      destination: Array(bytes[network + 16..<network + 20]),
      protocolNumber: protocolNumber, length: length)
    func check(_ field: Int, covers bytes: [UInt8]) -> String {
      let value = "checksum 0x\(PacketText.hex(word(field), 4))"
      guard isComplete else { return "\(value) (not all of it is here)" }
      if protocolNumber == 17, word(field) == 0 { return "\(value) none" }
      let isPartial = protocolNumber != 1 && UInt16(word(field)) == ~InternetChecksum.of(pseudoHeader)
      let isRight = InternetChecksum.of(bytes) == 0
      return "\(value) \(verdict(isRight))\(isPartial && !isRight ? ", partial" : "")"
    }
    switch protocolNumber {
    case 6:
      guard length >= 20 else {
        return lines.append("\(indent)TCP: \(length) bytes, ports \(ports(at, length))")
      }
      let header = Int(bytes[at + 12] >> 4) * 4
      let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
      let flags = names.indices.filter { bytes[at + 13] & 1 << UInt8($0) != 0 }.map { names[$0] }
      lines.append(
        "\(indent)TCP \(word(at)) > \(word(at + 2)) \(flags.joined(separator: " ")) sequence \(long(at + 4)) "
          + "acknowledgement \(long(at + 8)) header \(header) window \(word(at + 14)) "
          + "\(check(at + 16, covers: pseudoHeader + segment)) urgent \(word(at + 18)) data \(max(0, length - header))"
      )
      if header > 20, header <= length {
        lines.append(
          "\(indent)  options "
            + bytes[at + 20..<at + header].map { PacketText.hex($0, 2) }.joined(separator: " "))
      }
    case 17:
      guard length >= 8 else {
        return lines.append("\(indent)UDP: \(length) bytes, ports \(ports(at, length))")
      }
      lines.append(
        "\(indent)UDP \(word(at)) > \(word(at + 2)) length \(word(at + 4)) "
          + "\(check(at + 6, covers: pseudoHeader + segment)) data \(length - 8)")
    case 1:
      guard length >= 8 else { return lines.append("\(indent)ICMP: \(length) bytes") }
      let (type, code) = (bytes[at], bytes[at + 1])
      let isQuery = [0, 8, 13, 14, 15, 16, 17, 18].contains(type)
      lines.append(
        "\(indent)ICMP type \(type) code \(code) \(check(at + 2, covers: Array(segment))) "
          + (isQuery
            ? "identifier \(word(at + 4)) sequence \(word(at + 6)) data \(length - 8)"
            : "rest 0x\(PacketText.hex(long(at + 4), 8))"))
      if !isQuery, indent.isEmpty, [3, 4, 5, 11, 12].contains(type) {
        ipv4(at + 8, limit: end, indent: "  quoted ")
      }
    default:
      lines.append("\(indent)protocol \(protocolNumber), \(length) bytes")
    }
  }

  private func ports(_ at: Int, _ length: Int) -> String {
    length >= 4 ? "\(word(at)) > \(word(at + 2))" : "cut off"
  }

  private func verdict(_ isRight: Bool?) -> String {
    switch isRight {
    case true?: "right"
    case false?: "WRONG"
    case nil: "unknown"
    }
  }
}
