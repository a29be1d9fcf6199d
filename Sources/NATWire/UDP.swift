/// Offsets of the UDP header (RFC 768). Offsets count from its first byte.
public enum UDP {
  public static let headerLength = 8
  public static let lengthOffset = 4
  public static let checksumOffset = 6
}
