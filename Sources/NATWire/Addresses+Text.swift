// Text forms for configuration, messages and tables. The packet path never uses them.

extension IPv4Address: CustomStringConvertible {
  /// Reads dotted decimal, four parts without leading zeros (RFC 6943 section 3.1.1, strict form).
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let octet = decimal(part, upTo: 255) else { return nil }
      value = value << 8 | UInt32(octet)
    }
    self.init(value)
  }

  public var description: String {
    "\(rawValue >> 24).\(rawValue >> 16 & 255).\(rawValue >> 8 & 255).\(rawValue & 255)"
  }
}

extension IPv4Network: CustomStringConvertible {
  /// Reads `address/length`, or a single address as a /32. Clears the bits after the prefix.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPv4Address(parts[0]) else { return nil }
    guard parts.count == 2 else {
      self.init(address, prefixLength: 32)
      return
    }
    guard let length = decimal(parts[1], upTo: 32) else { return nil }
    self.init(address, prefixLength: length)
  }

  public var description: String { "\(address)/\(prefixLength)" }
}

extension MACAddress: CustomStringConvertible {
  /// Reads six pairs of hexadecimal digits with colons: `02:50:00:00:00:01`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 6 else { return nil }
    var value: UInt64 = 0
    for part in parts {
      guard part.utf8.count == 2, part.allSatisfy({ $0.isASCII && $0.isHexDigit }),
        let octet = UInt64(part, radix: 16)
      else { return nil }
      value = value << 8 | octet
    }
    self.init(value)
  }

  public var description: String {
    (0..<6).map { index in
      let octet = String(rawValue >> UInt64(40 - 8 * index) & 255, radix: 16)
      return octet.utf8.count == 1 ? "0" + octet : octet
    }.joined(separator: ":")
  }
}

extension Endpoint: CustomStringConvertible {
  /// Reads `address:port`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPv4Address(parts[0]),
      let port = decimal(parts[1], upTo: 65535)
    else { return nil }
    self.init(address, UInt16(port))
  }

  public var description: String { "\(address):\(port)" }
}

/// A decimal number of digits only, without leading zeros.
func decimal(_ text: some StringProtocol, upTo limit: Int) -> Int? {
  guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
    text.utf8.count == 1 || text.utf8.first != 48,
    let value = Int(text), value <= limit
  else { return nil }
  return value
}
