import NATWire

extension IPv4Address {
  /// Why no host can have this address (RFC 1122 section 3.2.1.3, RFC 1112 section 4); nil if one can.
  var reservation: String? {
    switch rawValue >> 24 {
    case 0: "an address of \"this network\""
    case 127: "a loopback address"
    case 224...239: "a multicast address"
    case 240...255: "a reserved address"
    default: nil
    }
  }
}

extension Form where Value == IPv4Address {
  /// An address that a host can have.
  static var address: Form {
    Form("an IPv4 address such as 192.0.2.1") { text in
      guard let address = IPv4Address(text) else { return .wrong() }
      if let reservation = address.reservation {
        return .wrong(found: "\(text.quoted), \(reservation)", expected: "an address that a host can have")
      }
      return .value(address)
    }
  }
}

extension Form where Value == IPv4Address {
  /// An address that a host can have, or `host`.
  static var addressOrMachine: Form { address.or("host", .machine, text: \.text) }
}

/// An interface's address in its network, as written: `192.168.1.1/24`.
struct AddressInNetwork: Sendable {
  let address: IPv4Address
  let network: IPv4Network
}

extension Form where Value == AddressInNetwork {
  static var interfaceAddress: Form {
    Form("an IPv4 address with its prefix length (1 to 32), such as 192.168.1.1/24") { text in
      let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard let address = IPv4Address(parts[0]), let network = IPv4Network(text) else { return .wrong() }
      guard parts.count == 2 else { return .wrong(found: "\(text.quoted), which has no prefix length") }
      guard network.prefixLength > 0 else { return .wrong() }
      if let role = network.role(of: address) ?? address.reservation {
        return .wrong(found: "\(text.quoted), \(role)", expected: "the address of one host in its network")
      }
      return .value(AddressInNetwork(address: address, network: network))
    }
  }
}

extension Form where Value == AddressInNetwork? {
  /// Nil for `host`.
  static var interfaceAddressOrMachine: Form {
    let own = Form<AddressInNetwork>.interfaceAddress
    return Form(
      "\(own.expected), or host", samples: own.samples,
      text: { $0.map { "\($0.address)/\($0.network.prefixLength)" } ?? "host" }
    ) { $0 == "host" ? .value(nil) : own.reading($0).map { $0 } }
  }
}

extension IPv4Network {
  /// Why no host of the network can have an address (RFC 1122 section 3.2.1.3); nil if one can. In networks
  /// of 31 and 32 bits every address is usable (RFC 3021).
  func role(of other: IPv4Address) -> String? {
    guard prefixLength <= 30 else { return nil }
    if other == address { return "the network address of \(self)" }
    if other == broadcast { return "the broadcast address of \(self)" }
    return nil
  }
}

extension Form where Value == IPv4Network {
  static var network: Form {
    Form("an IPv4 network such as 10.9.0.0/24", text: \.text) { text in
      guard let network = IPv4Network(text) else { return .wrong() }
      let address = text.prefix { $0 != "/" }
      guard IPv4Address(address) == network.address else {
        return .wrong(found: "\(text.quoted), which has bits set behind its prefix", expected: "\(network)")
      }
      return .value(network)
    }
  }
}

extension Form where Value == MACAddress {
  static var macAddress: Form {
    Form("the MAC address of one device, such as 02:50:00:00:00:01", samples: ["02:50:00:00:00:01"]) { text in
      guard let address = MACAddress(text) else { return .wrong() }
      if address.isGroup { return .wrong(found: "\(text.quoted), a group address") }
      return address.rawValue == 0 ? .wrong() : .value(address)
    }
  }
}

extension Form where Value == String {
  /// A name that the kernel accepts for a device.
  static var device: Form {
    Form("the name of a network device, 1 to 15 bytes without spaces, `/` and `:`", samples: ["eth7"]) {
      text in
      let isName =
        (1...15).contains(text.utf8.count) && text != "." && text != ".."
        && !text.unicodeScalars.contains { $0 == "/" || $0 == ":" || $0.value <= 32 || $0.value == 127 }
      return isName ? text : nil
    }
  }

  static var socketPath: Form {
    Form("the path of a Unix socket, 1 to 107 bytes", samples: ["/tmp/control.sock"]) { text in
      (1...107).contains(text.utf8.count) && !text.utf8.contains(0) ? text : nil
    }
  }

  static var group: Form {
    Form("the name or number of a group", samples: ["adm"]) { text in
      let isName =
        !text.isEmpty && !text.unicodeScalars.contains { $0 == ":" || $0.value <= 32 || $0.value == 127 }
      return isName ? text : nil
    }
  }
}

extension Form where Value == UInt32 {
  /// Octal permission bits, quoted or not.
  static var mode: Form {
    Form(
      "permissions in octal such as \"0660\", at most 0777", samples: ["0600"],
      text: { mode in
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: 4 - digits.count) + digits
      }
    ) { text in
      guard (3...4).contains(text.utf8.count), let mode = UInt32(text, radix: 8), text.first != "+",
        mode <= 0o777
      else { return nil }
      return mode
    }
  }
}

extension Form where Value == Endpoint? {
  static var listen: Form {
    Form<Endpoint>("ADDRESS:PORT such as 127.0.0.1:9477", samples: ["127.0.0.1:9477"]) { text in
      Endpoint(text).flatMap { $0.port > 0 ? $0 : nil }
    }.orOff()
  }
}

extension Form where Value == String? {
  static var filePath: Form {
    Form<String>(
      "the path of a file, from the root, 2 to 1023 bytes", samples: ["/var/lib/portico/state"]
    ) { text in
      let isPath =
        (2...1023).contains(text.utf8.count) && text.first == "/" && text.last != "/"
        && !text.utf8.contains(0)
      return isPath ? text : nil
    }.orOff()
  }
}

extension Form where Value == [ClosedRange<UInt16>] {
  /// `1024-65535`, `1024-4999,5100-65535` or one port. The result is ascending, with adjacent ranges merged.
  static var portRanges: Form {
    Form(
      "ports from 1 to 65535, such as 1024-65535, 1024-4999,5100-65535 or 5000",
      samples: ["1024-65535", "1024-4999,5100-65535", "5000"], text: \.text
    ) { text in
      var ranges: [ClosedRange<UInt16>] = []
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { bound in
          decimal(bound.trimmed).flatMap { (1...65535).contains($0) ? UInt16($0) : nil }
        }
        guard (1...2).contains(bounds.count), let first = bounds[0], let last = bounds[bounds.count - 1]
        else {
          return .wrong(found: text.quoted == part.quoted ? nil : "\(part.quoted) in \(text.quoted)")
        }
        guard first <= last else {
          return .wrong(found: "\(part.quoted), a reversed range", expected: "\(last)-\(first)")
        }
        if let other = ranges.first(where: { $0.overlaps(first...last) }) {
          return .wrong(
            found: "\(part.quoted) and \(other.text.quoted), which overlap", expected: "each port once")
        }
        ranges.append(first...last)
      }
      return .value(ranges.merged)
    }
  }
}

extension StringProtocol {
  /// Without spaces at both ends.
  var trimmed: SubSequence {
    let blanks: Set<Character> = [" ", "\t"]
    guard let first = firstIndex(where: { !blanks.contains($0) }),
      let last = lastIndex(where: { !blanks.contains($0) })
    else { return self[endIndex...] }
    return self[first...last]
  }
}

extension ClosedRange<UInt16> {
  /// As in the file.
  var text: String { lowerBound == upperBound ? "\(lowerBound)" : "\(lowerBound)-\(upperBound)" }
}

extension [ClosedRange<UInt16>] {
  /// The ranges in ascending order, with overlapping and adjacent ranges merged.
  var merged: [ClosedRange<UInt16>] {
    sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { merged, range in
      if let last = merged.last, Int(last.upperBound) + 1 == Int(range.lowerBound) {
        merged[merged.count - 1] = last.lowerBound...range.upperBound
      } else {
        merged.append(range)
      }
    }
  }

  /// As in the file.
  var text: String { map(\.text).joined(separator: ",") }
}
