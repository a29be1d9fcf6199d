import NATWire

/// A decimal number below 10^18 without sign and leading zeros; nil for other text.
func decimal(_ text: some StringProtocol) -> Int? {
  guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
    text.utf8.count == 1 || text.utf8.first != 48
  else { return nil }
  return Int(text)
}

private let sizeUnits: [(symbol: String, shift: UInt64)] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)]

extension Form where Value == Int {
  static func number(_ range: ClosedRange<Int>) -> Form {
    Form(
      "a number from \(range.lowerBound) to \(range.upperBound)",
      samples: ["\(range.lowerBound)", "\(range.upperBound)"]
    ) { text in
      decimal(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

extension Form where Value == Int? {
  /// A rate per second, or `off`.
  static var rate: Form { Form<Int>.number(1...100_000).orOff("off, or a number from 1 to 100000") }
}

extension Form where Value == Bool {
  /// All spellings of YAML 1.1 except single letters.
  private static func switching(_ yes: String, _ no: String) -> Form {
    Form("on or off (or true, false, yes, no)", samples: [yes, no], text: { $0 ? yes : no }) { text in
      for (word, value) in [
        ("on", true), ("off", false), ("true", true), ("false", false), ("yes", true), ("no", false),
      ] where [word, word.prefix(1).uppercased() + word.dropFirst(), word.uppercased()].contains(text) {
        return value
      }
      return nil
    }
  }

  static var onOrOff: Form { switching("on", "off") }
  static var truth: Form { switching("true", "false") }
}

extension Form where Value: RawRepresentable<String> & CaseIterable & Sendable {
  /// One of the words of an enumeration.
  static var word: Form {
    let words = Value.allCases.map(\.rawValue)
    return Form(words.listed(with: "or"), samples: words, text: \.rawValue) { Value(rawValue: $0) }
  }

  /// One of the words of an enumeration. A YAML truth value in any spelling stands for one of two of them, so that a
  /// setting that was a switch before still reads old files.
  static func word(true yes: Value, false no: Value) -> Form {
    let form = Form.word
    let expected = "\(form.expected) (true is \(yes.rawValue), false is \(no.rawValue))"
    return Form(expected, samples: form.samples, text: form.text) { text in
      if let value = Value(rawValue: text) { return value }
      guard case .value(let isTrue) = Form<Bool>.truth.reading(text) else { return nil }
      return isTrue ? yes : no
    }
  }
}

extension Form where Value == UInt64 {
  /// A duration in nanoseconds, written in whole days, hours, minutes and seconds: `2h4m`.
  static func duration(from least: String, to most: String, such examples: String) -> Form {
    Form(
      "a duration from \(least) to \(most), such as \(examples)", samples: [least, most], text: \.durationText
    ) { text in
      if let number = decimal(text), number != 0 {
        return .wrong(found: "\(text.quoted), which has no unit")
      }
      guard let duration = text == "0" ? 0 : seconds(text), let least = seconds(least),
        let most = seconds(most),
        (least...most).contains(duration)
      else { return .wrong() }
      return .value(UInt64(duration) * nanosecondsPerSecond)
    }
  }

  static var lifetime: Form { .duration(from: "1s", to: "365d", such: "300s, 5m or 2h4m") }

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
  static func size(from least: String, to most: String, such example: String) -> Form {
    Form(
      "a size from \(least) to \(most), such as \(example)", samples: [least, most], text: \.sizeText
    ) { text in
      if decimal(text) != nil {
        return .wrong(found: "\(text.quoted), which has no unit")
      }
      guard let size = bytes(text), let least = bytes(least), let most = bytes(most),
        (least...most).contains(size)
      else { return .wrong() }
      return .value(size)
    }
  }

  private static func bytes(_ text: String) -> UInt64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let count = decimal(digits),
      let unit = sizeUnits.first(where: { $0.symbol == text.dropFirst(digits.count) })
    else { return nil }
    let (bytes, overflow) = UInt64(count).multipliedReportingOverflow(by: 1 << unit.shift)
    return overflow ? nil : bytes
  }
}

extension UInt64 {
  /// Nanoseconds as in the file.
  var durationText: String { "\(self / nanosecondsPerSecond)s" }

  /// Bytes as in the file, in the largest unit without a remainder.
  var sizeText: String {
    let unit = sizeUnits.first { self % (1 << $0.shift) == 0 } ?? sizeUnits[3]
    return "\(self >> unit.shift)\(unit.symbol)"
  }
}

extension Form where Value == Configuration.MSSClamp {
  static var mssClamp: Form {
    Form(
      "auto, off, or a number from 88 to 65495", samples: ["auto", "off", "88", "65495"],
      text: {
        switch $0 {
        case .auto: "auto"
        case .off: "off"
        case .limit(let bytes): "\(bytes)"
        }
      }
    ) { text in
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
  /// A protocol with a port: `udp/53`.
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
