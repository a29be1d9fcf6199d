import NATControl

/// The parameters of a query. A handler takes those that it knows; any that are left are refused.
struct Parameters {
  private var values: [String: String] = [:]
  private var names: [String] = []
  private var known: [String] = []

  init(_ list: [(name: String, value: String)]) throws(ControlError) {
    for (name, value) in list {
      guard values.updateValue(value, forKey: name) == nil else {
        throw ControlError(
          status: 400, reason: "repeated-parameter",
          "the parameter \(quoted(name)) is given twice; give it once")
      }
      names.append(name)
    }
  }

  mutating func take(_ name: String) -> String? {
    known.append(name)
    return values.removeValue(forKey: name)
  }

  /// - Parameter right: the values that would be right, for the refusal.
  mutating func take<Value>(
    _ name: String, _ right: @autoclosure () -> String, _ read: (String) -> Value?
  ) throws(ControlError) -> Value? {
    guard let text = take(name) else { return nil }
    guard let value = read(text) else {
      throw ControlError(
        status: 400, reason: "bad-value", "\(name) is \(quoted(text)); expected \(right())")
    }
    return value
  }

  /// Refuses parameters that were not taken.
  func end() throws(ControlError) {
    guard let name = names.first(where: { values[$0] != nil }) else { return }
    throw ControlError(
      status: 400, reason: "unknown-parameter",
      "there is no parameter \(quoted(name)); "
        + (known.isEmpty ? "this request takes none" : "there are \(known.joined(separator: ", "))"))
  }
}
