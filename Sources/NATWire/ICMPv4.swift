/// Offsets and numbers of ICMP for IPv4 (RFC 792). Offsets count from the first byte of the message.
public enum ICMPv4 {
  public static let headerLength = 8
  public static let checksumOffset = 2
  public static let identifierOffset = 4
  /// Where an extension follows: the length of the quoted packet in units of four bytes (RFC 4884 section 4).
  public static let quoteLengthOffset = 5
  public static let nextHopMTUOffset = 6

  public static let echoReply: UInt8 = 0
  public static let destinationUnreachable: UInt8 = 3
  public static let echoRequest: UInt8 = 8
  /// Fragmentation needed and DF set.
  public static let fragmentationNeeded: UInt8 = 4
  public static let timeExceeded: UInt8 = 11
  public static let parameterProblem: UInt8 = 12

  /// The kind of message of a type. Queries and replies have an identifier in the place of a port (RFC 5508).
  @inlinable public static func kind(ofType type: UInt8) -> PacketKind {
    switch type {
    case 8, 13, 15, 17: .query
    case 0, 14, 16, 18: .queryReply
    case 3, 4, 5, 11, 12: .icmpError
    default: .icmpOther
    }
  }
}
