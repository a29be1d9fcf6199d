/// Offsets of the UDP header (RFC 768), from its first byte on.
public enum UDP {
  public static let headerLength = 8
  public static let lengthOffset = 4
  public static let checksumOffset = 6
}
