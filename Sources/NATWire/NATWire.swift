// NATWire: what the bytes of a frame mean.
//
// The module reads and writes Ethernet, ARP, IPv4, TCP, UDP and ICMP headers in place. It keeps no state, makes no
// decision about a packet, and imports nothing.
//
// - `Frame` is a bounds-checked view of the bytes of one frame. It owns nothing.
// - `Packet.decode` checks a frame from the link header to the transport header and fills a `Packet`, or returns the
//   `WireFault` for which the packet must be dropped. After that, every offset in the packet is valid.
// - `Checksum`, `ChecksumDelta` and the setters of `Packet` change fields and update the checksums (RFC 1624).
// - `QuotedPacket` is the packet inside an ICMP error.
// - `FrameBatch` holds the frames that came in, `Outbox` names the frames that leave, with what decoding learned
//   (`FrameFacts`).
// - `IPv4Address`, `MACAddress`, `Endpoint`, `Side`, `InterfaceIndex` and `Instant` are the words of all other modules.
//
// Decode a frame and print its endpoints:
//
// ```swift
// var outbox = Outbox()
// let frame = outbox.build(length: bytes.count)
// for (offset, byte) in bytes.enumerated() { frame.setUInt8(byte, at: offset) }
// var packet = Packet(frame: frame)
// switch Packet.decode(frame, link: .ethernet, wireLength: frame.count, into: &packet) {
// case .ipv4: print("\(packet.source):\(packet.sourcePort) to \(packet.destination):\(packet.destinationPort)")
// case .arp: print("ARP")
// case .fault(let fault): print("dropped: \(fault)")
// }
// ```
