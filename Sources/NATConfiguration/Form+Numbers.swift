import NATWire

/// Digits only, without leading zeros, below 10^18.
func decimal(_ text: some StringProtocol) -> Int? {
  guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
    text.utf8.count == 1 || text.utf8.first != 48
  else { return nil }
  return Int(text)
}

extension Form where Value == Int {
  static func number(_ range: ClosedRange<Int>) -> Form {
    Form("a number from \(range.lowerBound) to \(range.upperBound)") { text in
      decimal(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// A limit on what is kept for each host.
  static var limit: Form { .number(1...2_147_483_647) }

  /// A limit on what a table keeps.
  static var tableLimit: Form { .number(1...Configuration.Limits.largest) }
}

extension Form where Value == Int? {
  /// So many a second, or as many as come.
  static var rate: Form {
    Form("off, or a number from 1 to 100000") { text in
      if text == "off" || text == "false" { return .value(nil) }
      guard let number = decimal(text), (1...100_000).contains(number) else { return .wrong() }
      return .value(number)
    }
  }
}

extension Form where Value == Bool {
  /// All the spellings of YAML 1.1 but the single letters.
  static var onOrOff: Form {
    Form("on or off (or true, false, yes, no)") { text in
      for (word, value) in [
        ("on", true), ("off", false), ("true", true), ("false", false), ("yes", true), ("no", false),
      ] where [word, word.prefix(1).uppercased() + word.dropFirst(), word.uppercased()].contains(text) {
        return value
      }
      return nil
    }
  }
}

extension Form where Value: RawRepresentable<String> & CaseIterable {
  /// One of the words of an enumeration.
  static var word: Form {
    Form(Value.allCases.map(\.rawValue).listed(with: "or")) { Value(rawValue: $0) }
  }
}

extension Form where Value == UInt64 {
  /// A duration in nanoseconds, written in whole days, hours, minutes and seconds: `2h4m`.
  static func duration(_ range: ClosedRange<Int>, expected: String) -> Form {
    Form(expected) { text in
      if let number = decimal(text), number != 0 {
        return .wrong(found: "\(text.quoted), which has no unit")
      }
      guard let seconds = text == "0" ? 0 : seconds(text), range.contains(seconds) else { return .wrong() }
      return .value(UInt64(seconds) * nanosecondsPerSecond)
    }
  }

  /// 1 s to 365 days.
  static var lifetime: Form {
    .duration(1...365 * 86400, expected: "a duration from 1s to 365d, such as 300s, 5m or 2h4m")
  }

  private static func seconds(_ text: String) -> Int? {
    var rest = Substring(text)
    var units: ArraySlice<(symbol: Character, seconds: Int)> = [
      ("d", 86400), ("h", 3600), ("m", 60), ("s", 1),
    ]
    var total = 0
    repeat {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard digits.utf8.count <= 9, let count = Int(digits), let symbol = rest.dropFirst(digits.count).first,
        let index = units.firstIndex(where: { $0.symbol == symbol })
      else { return nil }
      total += count * units[index].seconds
      units = units[(index + 1)...]
      rest = rest.dropFirst(digits.count + 1)
    } while !rest.isEmpty
    return total
  }

  /// A size in bytes, written with a binary unit: `8MiB`.
  static func size(_ range: ClosedRange<UInt64>, expected: String) -> Form {
    Form(expected) { text in
      let digits = text.prefix { $0.isASCII && $0.isNumber }
      guard let count = decimal(digits) else { return .wrong() }
      let shift: UInt64
      switch text.dropFirst(digits.count) {
      case "B": shift = 0
      case "KiB": shift = 10
      case "MiB": shift = 20
      case "GiB": shift = 30
      case "": return .wrong(found: "\(text.quoted), which has no unit")
      default: return .wrong()
      }
      let (bytes, overflow) = UInt64(count).multipliedReportingOverflow(by: 1 << shift)
      return !overflow && range.contains(bytes) ? .value(bytes) : .wrong()
    }
  }
}

extension Form where Value == Configuration.MSSClamp {
  static var mssClamp: Form {
    Form("auto, off, or a number from 88 to 65495") { text in
      switch text {
      case "auto": return .auto
      case "off", "false": return .off
      default:
        guard let bytes = decimal(text), (88...65495).contains(bytes) else { return nil }
        return .limit(UInt16(bytes))
      }
    }
  }
}

extension Form where Value == (TransportProtocol, UInt16) {
  /// The key of a lifetime of its own: `udp/53`.
  static var transportPort: Form {
    Form("a protocol and a port from 1 to 65535, such as udp/53 or tcp/80") { text in
      let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2,
        let transport = [TransportProtocol.tcp, .udp].first(where: { $0.text == parts[0] }),
        let port = decimal(parts[1]), (1...65535).contains(port)
      else { return nil }
      return (transport, UInt16(port))
    }
  }
}
