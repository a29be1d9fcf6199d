/// Colours for a terminal, or none.
public struct Paint: Sendable {
  private let isOn: Bool

  public static let plain = Paint(isOn: false)
  public static let colours = Paint(isOn: true)

  private init(isOn: Bool) { self.isOn = isOn }

  public func title(_ text: String) -> String { wrapped(text, "1") }
  public func good(_ text: String) -> String { wrapped(text, "32") }
  public func bad(_ text: String) -> String { wrapped(text, "31") }
  public func notable(_ text: String) -> String { wrapped(text, "33") }
  public func quiet(_ text: String) -> String { wrapped(text, "2") }

  /// A line feed at the end stays uncoloured.
  private func wrapped(_ text: String, _ code: String) -> String {
    guard isOn, !text.isEmpty else { return text }
    let isLine = text.hasSuffix("\n")
    return "\u{1B}[\(code)m\(isLine ? String(text.dropLast()) : text)\u{1B}[0m\(isLine ? "\n" : "")"
  }
}
