internal import CLinuxPacket
internal import NATWire

/// What the kernel is asked to do with a frame on its way out.
enum SegmentOffload {
  /// The frame goes as it is, perhaps with its checksum finished.
  case whole(virtio_net_hdr)
  /// A TCP super-frame: the kernel or the device cuts it.
  case segments(virtio_net_hdr)
  /// It is longer than the limit and cannot be cut.
  case tooLong

  /// Looks at a frame that begins with an Ethernet header.
  ///
  /// A TCP or UDP checksum field that holds the folded sum of the pseudo-header is partial: the kernel is
  /// asked to finish it. (A complete checksum has that value once in 65,536 packets; finishing it gives it
  /// the same value again.) A TCP packet longer than the limit is to be cut; its checksum must be partial for
  /// that, and where it is complete and right it is made so. A wrong one is left alone, for cutting would
  /// mend it.
  ///
  /// - Parameters:
  ///   - largestPacket: bytes of the largest IPv4 packet that the way to the receiver takes, and the receiver
  ///     wants.
  ///   - mtu: bytes of the largest IPv4 packet that the interface sends.
  /// - Complexity: O(1), except complete checksums of packets that are to be cut.
  init(_ frame: Frame, largestPacket: Int, mtu: Int) {
    let network = Ethernet.headerLength
    let plain = SegmentOffload.whole(virtio_net_hdr())
    guard frame.count >= network + IPv4.minimumHeaderLength + UDP.headerLength,
      frame.uint16(at: Ethernet.typeOffset) == Ethernet.typeIPv4
    else {
      self = plain
      return
    }
    let headerLength = Int(frame.uint8(at: network) & 0x0F) * 4
    let totalLength = Int(frame.uint16(at: network + IPv4.totalLengthOffset))
    let transport = network + headerLength
    let isWhole =
      frame.uint16(at: network + IPv4.fragmentOffset) & (IPv4.moreFragments | IPv4.fragmentOffsetMask) == 0
    let protocolNumber = frame.uint8(at: network + IPv4.protocolOffset)
    let transportLength = totalLength - headerLength
    let minimum = protocolNumber == IPv4.protocolTCP ? TCP.minimumHeaderLength : UDP.headerLength
    guard headerLength >= IPv4.minimumHeaderLength, transportLength >= minimum,
      network + totalLength <= frame.count, isWhole,
      protocolNumber == IPv4.protocolTCP || protocolNumber == IPv4.protocolUDP
    else {
      self = totalLength > mtu ? .tooLong : plain
      return
    }

    let isTCP = protocolNumber == IPv4.protocolTCP
    let checksumOffset = isTCP ? TCP.checksumOffset : UDP.checksumOffset
    let covered = isTCP ? transportLength : Int(frame.uint16(at: transport + UDP.lengthOffset))
    let pseudo = Frame.pseudoHeaderSum(
      source: frame.address(at: network + IPv4.sourceOffset),
      destination: frame.address(at: network + IPv4.destinationOffset), protocolNumber: protocolNumber,
      length: covered)
    var isPartial = frame.uint16(at: transport + checksumOffset) == pseudo.folded
    let tcpHeaderLength = isTCP ? Int(frame.uint8(at: transport + TCP.dataOffsetOffset) >> 4) * 4 : 0
    let isToBeCut =
      isTCP && totalLength > largestPacket && tcpHeaderLength >= TCP.minimumHeaderLength
      && tcpHeaderLength <= transportLength && largestPacket > headerLength + tcpHeaderLength
    if isToBeCut, !isPartial {
      var whole = frame.sum(from: transport, count: transportLength)
      whole.add(pseudo.folded)
      if whole.folded == 0xFFFF {
        frame.setUInt16(pseudo.folded, at: transport + checksumOffset)
        isPartial = true
      }
    }
    guard isToBeCut, isPartial else {
      self =
        totalLength > mtu
        ? .tooLong : .whole(isPartial ? .checksum(at: transport, checksumOffset) : virtio_net_hdr())
      return
    }
    var header = virtio_net_hdr.checksum(at: transport, checksumOffset)
    header.gso_type = UInt8(VIRTIO_NET_HDR_GSO_TCPV4)
    // CWR belongs to the first segment alone (RFC 3168 section 6.1.2).
    if frame.uint8(at: transport + TCP.flagsOffset) & 0x80 != 0 {
      header.gso_type |= UInt8(VIRTIO_NET_HDR_GSO_ECN)
    }
    header.hdr_len = UInt16(transport + tcpHeaderLength)
    header.gso_size = UInt16(clamping: largestPacket - headerLength - tcpHeaderLength)
    self = .segments(header)
  }
}

extension virtio_net_hdr {
  /// A checksum to be finished over everything from `start` on.
  fileprivate static func checksum(at start: Int, _ offset: Int) -> virtio_net_hdr {
    var header = virtio_net_hdr()
    header.flags = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
    header.csum_start = UInt16(start)
    header.csum_offset = UInt16(offset)
    return header
  }
}
