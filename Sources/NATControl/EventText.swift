private import FoundationEssentials

/// An event as one line of text.
public enum EventText {
  /// The time is UTC, to the millisecond.
  public static func render(_ event: EventDocument, _ paint: Paint = .plain) -> String {
    let date = Date(timeIntervalSince1970: Double(event.unixNanoseconds / 1_000_000) / 1000)
    var words = [
      paint.quiet(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
      kind(event, paint),
    ]
    if let transport = event.transport { words.append(transport.rawValue) }
    if let endpoint = event.privateEndpoint { words.append(EndpointText.text(endpoint)) }
    if let endpoint = event.publicEndpoint { words.append("as \(EndpointText.text(endpoint))") }
    if let remote = event.remote { words.append("to \(EndpointText.remote(remote, event.transport))") }
    if let reason = event.reason { words.append("(\(reason))") }
    if let count = event.count { words.append("x\(count)") }
    return words.joined(separator: " ") + "\n"
  }

  private static func kind(_ event: EventDocument, _ paint: Paint) -> String {
    let name = event.kind.rawValue
    return switch event.kind {
    case .bindingCreated, .sessionCreated: paint.good(name)
    case .bindingEnded, .sessionEnded: name
    case .exhaustion, .limit, .stateDropped, .lost: paint.bad(name)
    case .reload, .addressChanged, .stateRestored: paint.notable(name)
    }
  }
}
