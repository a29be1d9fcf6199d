/// One Ethernet frame as text for people, several lines: Ethernet, ARP or IPv4, transport, and whether each
/// checksum is right. Never traps, however short or wrong the frame is.
public func describe(_ frame: [UInt8]) -> String {
  guard frame.count >= 14 else {
    return "frame of \(frame.count) bytes, below an Ethernet header: \(hex(frame))"
  }
  let type = word(frame, 12)
  var lines = [
    "ethernet \(mac(frame[6..<12])) > \(mac(frame[0..<6])) type 0x\(hexWord(type)), \(frame.count) bytes"
  ]
  let content = Array(frame[14...])
  switch type {
  case 0x0806: lines.append(describeARP(content))
  case 0x0800: lines += describeIPv4(content)
  default: lines.append("content \(hex(content))")
  }
  return lines.joined(separator: "\n")
}

private func describeARP(_ bytes: [UInt8]) -> String {
  guard case .arp(let packet) = decodeARP(bytes) else { return "arp malformed: \(hex(bytes))" }
  let names: [UInt16: String] = [1: "request", 2: "reply"]
  return "arp \(names[packet.operation] ?? "operation \(packet.operation)")"
    + " sender \(packet.sender) at \(mac(packet.senderMAC[...])) target \(packet.target)"
}

/// An IPv4 packet; `quoted` ones may be cut off and carry no sum over the whole transport.
private func describeIPv4(_ bytes: [UInt8], quoted: Bool = false) -> [String] {
  guard bytes.count >= 20, bytes[0] >> 4 == 4 else { return ["ipv4 malformed: \(hex(bytes))"] }
  let headerLength = Int(bytes[0] & 0x0F) * 4
  let totalLength = Int(word(bytes, 2))
  guard headerLength >= 20, headerLength <= bytes.count, totalLength >= headerLength else {
    return ["ipv4 malformed: \(hex(bytes))"]
  }
  let packet = Packet(bytes: Array(bytes.prefix(totalLength)))
  var line =
    "ipv4 \(packet.source) > \(packet.destination) protocol \(packet.transport) ttl \(packet.timeToLive)"
  line += " tos 0x\(hexByte(packet.typeOfService)) id \(packet.identification) length \(totalLength)"
  if packet.totalLength < totalLength { line += " (only \(packet.totalLength) there)" }
  if packet.dontFragment { line += " DF" }
  if packet.moreFragments { line += " MF" }
  if packet.fragmentOffset > 0 { line += " offset \(packet.fragmentOffset)" }
  line += " checksum 0x\(hexWord(word(bytes, 10))) \(packet.headerChecksumIsRight ? "right" : "WRONG")"
  var lines = [line]
  if headerLength > 20 { lines.append("  options \(hex(Array(bytes[20..<headerLength])))") }
  if bytes.count > totalLength { lines.append("  trailer of \(bytes.count - totalLength) bytes") }
  lines += describeTransport(packet, quoted: quoted || packet.totalLength < totalLength)
  return lines
}

private func describeTransport(_ packet: Packet, quoted: Bool) -> [String] {
  let payload = Array(packet.payload)
  guard !packet.isLaterFragment else { return ["  fragment \(hex(payload))"] }
  switch packet.flow {
  case .tcp:
    guard payload.count >= 20 else { return portsOnly("tcp", payload) }
    let names = zip(["FIN", "SYN", "RST", "PSH", "ACK", "URG"], 0...)
    let flags = names.filter { payload[13] >> $0.1 & 1 == 1 }.map(\.0).joined(separator: "+")
    let header = max(20, min(payload.count, packet.tcpHeaderLength))
    var line = "tcp \(word(payload, 0)) > \(word(payload, 2)) [\(flags)]"
    line += " seq 0x\(hexWord(word(payload, 4)))\(hexWord(word(payload, 6)))"
    line += " ack 0x\(hexWord(word(payload, 8)))\(hexWord(word(payload, 10)))"
    line += " window \(word(payload, 14)) checksum 0x\(hexWord(word(payload, 16)))\(verdict(packet, quoted))"
    var lines = [line]
    if header > 20 { lines.append("  options \(hex(Array(payload[20..<header])))") }
    return lines + data(payload[header...])
  case .udp:
    guard payload.count >= 8 else { return portsOnly("udp", payload) }
    let line =
      "udp \(word(payload, 0)) > \(word(payload, 2)) length \(word(payload, 4))"
      + " checksum 0x\(hexWord(word(payload, 6)))\(verdict(packet, quoted))"
    return [line] + data(payload[8...])
  case .icmp:
    guard payload.count >= 8 else { return ["icmp cut off: \(hex(payload))"] }
    let line =
      "icmp type \(payload[0]) code \(payload[1]) rest \(hex(Array(payload[4..<8])))"
      + " checksum 0x\(hexWord(word(payload, 2)))\(verdict(packet, quoted))"
    guard ICMPType.errors.contains(payload[0]) else { return [line] + data(payload[8...]) }
    return [line, "quoting"] + describeIPv4(Array(payload[8...]), quoted: true).map { "  " + $0 }
  case nil: return ["protocol \(packet.transport) \(hex(payload))"]
  }
}

private func portsOnly(_ name: String, _ payload: [UInt8]) -> [String] {
  guard payload.count >= 4 else { return ["\(name) cut off: \(hex(payload))"] }
  return ["\(name) \(word(payload, 0)) > \(word(payload, 2)), cut off: \(hex(payload))"]
}

private func verdict(_ packet: Packet, _ quoted: Bool) -> String {
  if quoted || packet.isFragment { return "" }
  if packet.flow == .icmp { return packet.icmpChecksumIsRight ? " right" : " WRONG" }
  if packet.flow == .udp && word(packet.bytes, packet.headerLength + 6) == 0 { return " none" }
  if packet.hasPartialChecksum { return " partial" }
  return onesSum(packet.segment, startingWith: packet.pseudoHeaderSum) == 0xFFFF ? " right" : " WRONG"
}

private func data(_ bytes: ArraySlice<UInt8>) -> [String] {
  bytes.isEmpty ? [] : ["  data of \(bytes.count) bytes \(hex(Array(bytes)))"]
}

private func mac(_ bytes: ArraySlice<UInt8>) -> String {
  bytes.map(hexByte).joined(separator: ":")
}

private func hexByte(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.count == 1 ? "0" + digits : digits
}

private func hexWord(_ value: UInt16) -> String {
  hexByte(UInt8(value >> 8)) + hexByte(UInt8(value & 0xFF))
}

/// At most 64 bytes, the rest as a count.
private func hex(_ bytes: [UInt8]) -> String {
  let shown = bytes.prefix(64).map(hexByte).joined()
  return bytes.count > 64 ? shown + " and \(bytes.count - 64) more" : shown
}
