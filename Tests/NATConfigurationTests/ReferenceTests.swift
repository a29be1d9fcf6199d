import Foundation
import NATConfiguration
import Testing

/// The two documents that are made from the declarations of the settings. To write them anew:
/// `PORTICO_WRITE_REFERENCE=1 swift test --filter ReferenceTests`.
@Suite struct ReferenceTests {
  private static func check(_ path: String, is text: String) throws {
    let file = ExampleTests.file(path)
    if ProcessInfo.processInfo.environment["PORTICO_WRITE_REFERENCE"] != nil {
      try text.write(toFile: file, atomically: true, encoding: .utf8)
    }
    #expect(
      try String(contentsOfFile: file, encoding: .utf8) == text,
      "\(path) does not follow the declarations; PORTICO_WRITE_REFERENCE=1 swift test --filter ReferenceTests writes it"
    )
  }

  @Test("the page Configuration is what the declarations give")
  func page() throws {
    try Self.check("Sources/portico/portico.docc/Configuration.md", is: Self.pageText)
  }

  @Test("config/portico.yaml is what the declarations give")
  func file() throws { try Self.check("config/portico.yaml", is: Self.fileText) }

  // MARK: The page

  private static var pageText: String {
    var text = """
      # Configuration

      Every setting of `/etc/portico/portico.yaml`, in the order of the file.

      Only `interfaces` is required. Durations are written `300s`, `5m` or `2h4m`, sizes `64KiB` or `8MiB`. `portico check FILE`
      names everything that is wrong with a file, with line and column. A change of a live setting takes effect with
      `portico reload`; [Changes at run time](RunTime.md) says what becomes of sessions. A reload that changes any other
      setting is refused, and needs a restart. `[]` marks the entries of a list.

      A test makes this page from the declarations in `NATConfiguration` (`PORTICO_WRITE_REFERENCE=1 swift test --filter
      ReferenceTests`).

      """
    var section = ""
    for setting in Configuration.reference {
      let key = String(setting.path.prefix { $0 != "." && $0 != "[" })
      if key != section {
        section = key
        text +=
          "\n## \(key)\n\n| setting | accepted | default | a change is | what it does |\n|---|---|---|---|---|\n"
      }
      let effect = setting.effect == .restart ? "restart" : "live"
      let isCode = !setting.isRequired && !setting.defaultText.contains(" ") && setting.defaultText != "none"
      let value = isCode ? "`\(setting.defaultText)`" : setting.defaultText
      text += "| `\(setting.path)` | \(setting.form) | \(value) | \(effect) | \(setting.documentation) |\n"
    }
    return text
  }

  // MARK: The file

  /// What the file shows instead of a default.
  private static let examples = [
    "interfaces.inside.name": "lan0", "interfaces.inside.address": "192.168.1.1/24",
    "interfaces.outside.name": "wan0", "interfaces.outside.address": "203.0.113.5/24",
    "interfaces.outside.gateway": "203.0.113.1", "nat.inside-networks": "[192.168.1.0/24]",
    "nat.pool": "[{ address: 203.0.113.5, ports: 1024-65535 }]", "control.mode": "\"0660\"",
  ]

  private static var fileText: String {
    var text = """
      # Portico's configuration. Only `interfaces` is required; its values are examples. Every other value is the default.
      # Check a change with `portico check FILE`. Durations: 300s, 5m, 2h4m. Sizes: 64KiB, 8MiB.
      # Text is read as written: a MAC address is never a number.

      """
    let all = Configuration.reference
    var open: [Substring] = []
    for setting in all where !setting.path.contains("[]") {
      let keys = setting.path.split(separator: ".")
      // `filtering: WORD` stands for the mapping.
      if all.contains(where: { setting.path.hasPrefix("\($0.path).") }) { continue }
      let shared = zip(open, keys.dropLast()).prefix { $0 == $1 }.count
      for (depth, key) in keys.dropLast().enumerated().dropFirst(shared) {
        if depth == 0 { text += "\n" }
        text += String(repeating: "  ", count: depth) + "\(key):\n"
      }
      if keys.count == 1, keys[0] != open.first { text += "\n" }
      open = keys.count == 1 ? keys : keys.dropLast()
      let indentation = String(repeating: "  ", count: keys.count - 1)
      let key = keys[keys.count - 1]
      let isAbsent = examples[setting.path] == nil && setting.defaultText.contains(" ")
      let value = examples[setting.path] ?? (isAbsent ? setting.samples[0] : setting.defaultText)
      let note = setting.defaultText.contains(" ") ? " Default: \(setting.defaultText)." : ""
      let isList = value.hasPrefix("[{")
      text += line(
        indentation + (isAbsent ? "# " : "") + (isList ? "\(key):" : "\(key): \(value)"),
        setting.documentation + note, indentation)
      if isList { text += "\(indentation)  - \(value.dropFirst().dropLast())\n" }
      let members = all.filter { $0.path.hasPrefix("\(setting.path)[].") }
      if !isList, !members.isEmpty {
        let required = members.filter(\.isRequired).map { "\(name(of: $0)): \($0.samples[0])" }
        text += "\(indentation)#   - { \(required.joined(separator: ", ")) }\n"
      }
      for member in members {
        text += line("\(indentation)#     \(name(of: member))", member.documentation, indentation)
      }
    }
    return text
  }

  private static func name(of member: SettingReference) -> String {
    String(member.path.split(separator: ".").last ?? "")
  }

  /// A line with its comment, wrapped at 120 columns.
  private static func line(_ text: String, _ comment: String, _ indentation: String) -> String {
    let column = 44
    var lines = [""]
    for word in comment.replacing("`", with: "").split(separator: " ") {
      if lines[lines.count - 1].count + word.count > 120 - column - 3 { lines.append("") }
      lines[lines.count - 1] += " \(word)"
    }
    let first = text.count < column ? text + String(repeating: " ", count: column - text.count) : text + "  "
    let blank = String(repeating: " ", count: column)
    return "\(first)#\(lines[0])\n" + lines.dropFirst().map { "\(blank)#\($0)\n" }.joined()
  }
}
