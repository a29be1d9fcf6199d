internal import CLinuxPacket
internal import NATWire

/// What the kernel is asked to do with a frame that leaves.
enum SegmentOffload {
  /// Send the frame as it is, perhaps finish its checksum.
  case whole(virtio_net_hdr)
  /// Cut a joined TCP packet: the kernel or the device does it.
  case segments(virtio_net_hdr)
  /// Nothing: it is longer than the limit and cannot be cut.
  case tooLong

  /// Decides from what decoding learned about a frame.
  ///
  /// The kernel finishes a partial checksum. It cuts a TCP packet above the limit, for which the checksum
  /// must be partial: a complete and right one is made partial here. A wrong one stays: cutting would hide
  /// it.
  ///
  /// - Parameters:
  ///   - frame: Ethernet header and packet, without padding.
  ///   - largestPacket: bytes of the largest IPv4 packet that fits the path and the receiver's MSS.
  ///   - mtu: bytes of the largest IPv4 packet that the interface sends.
  /// - Complexity: O(1), except for complete checksums of packets to cut: O(bytes).
  init(_ frame: Frame, _ facts: FrameFacts, largestPacket: Int, mtu: Int) {
    let length = frame.count - Ethernet.headerLength
    let transport = Ethernet.headerLength + Int(facts.headerLength)
    let headers = Int(facts.headerLength) + Int(facts.transportHeaderLength)
    let isTCP = facts.kind == .tcp
    var isPartial = facts.hasPartialChecksum
    let isToBeCut = isTCP && length > largestPacket && largestPacket > headers && !frame.isFragment
    if isToBeCut, !isPartial { isPartial = frame.makeChecksumPartial(at: transport) }
    guard isToBeCut, isPartial else {
      self =
        length > mtu
        ? .tooLong
        : .whole(
          isPartial
            ? .checksum(at: transport, isTCP ? TCP.checksumOffset : UDP.checksumOffset) : virtio_net_hdr())
      return
    }
    var header = virtio_net_hdr.checksum(at: transport, TCP.checksumOffset)
    header.gso_type = UInt8(VIRTIO_NET_HDR_GSO_TCPV4)
    // CWR belongs to the first segment alone (RFC 3168 section 6.1.2).
    if frame.uint8(at: transport + TCP.flagsOffset) & 0x80 != 0 {
      header.gso_type |= UInt8(VIRTIO_NET_HDR_GSO_ECN)
    }
    header.hdr_len = UInt16(Ethernet.headerLength + headers)
    header.gso_size = UInt16(clamping: largestPacket - headers)
    self = .segments(header)
  }
}

extension Frame {
  fileprivate var isFragment: Bool {
    let field = uint16(at: Ethernet.headerLength + IPv4.fragmentOffset)
    return field & (IPv4.moreFragments | IPv4.fragmentOffsetMask) != 0
  }

  /// Puts the pseudo-header's sum in the place of a complete and right TCP checksum.
  /// - Returns: whether the checksum was right.
  fileprivate func makeChecksumPartial(at transport: Int) -> Bool {
    let network = Ethernet.headerLength
    let pseudo = Frame.pseudoHeaderSum(
      source: address(at: network + IPv4.sourceOffset),
      destination: address(at: network + IPv4.destinationOffset), protocolNumber: IPv4.protocolTCP,
      length: count - transport)
    var whole = sum(from: transport, count: count - transport)
    whole.add(pseudo.folded)
    guard whole.folded == 0xFFFF else { return false }
    setUInt16(pseudo.folded, at: transport + TCP.checksumOffset)
    return true
  }
}

extension virtio_net_hdr {
  /// Finish the checksum over all bytes from `start` on.
  fileprivate static func checksum(at start: Int, _ offset: Int) -> virtio_net_hdr {
    var header = virtio_net_hdr()
    header.flags = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
    header.csum_start = UInt16(start)
    header.csum_offset = UInt16(offset)
    return header
  }
}
