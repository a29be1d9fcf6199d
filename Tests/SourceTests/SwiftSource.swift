import Foundation
import TestSupport

/// A Swift file without comments and the content of string literals.
struct SwiftSource {
  /// Relative to the package.
  let path: String
  /// UTF-8, as long as the file; what is left out became spaces.
  let code: [UInt8]

  struct Function: Equatable {
    var name: String
    /// The line at which it begins, counted from 1.
    var line: Int
    /// From the first line of the declaration to the closing brace.
    var lines: Int
    var parameters: Int
  }

  init(path: String, text: String) {
    self.path = path
    code = SwiftSource.withoutTexts(Array(text.utf8))
  }

  /// The Swift files below a folder of the package.
  static func all(below folder: String) throws -> [SwiftSource] {
    let root = Package.root.appending(path: folder)
    let paths = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return try paths.filter { $0.hasSuffix(".swift") }.sorted().map {
      SwiftSource(
        path: "\(folder)/\($0)",
        text: try String(contentsOf: root.appending(path: $0), encoding: .utf8))
    }
  }

  /// Knows `//`, nested `/* */`, `"`, `"""` and raw strings; an interpolation counts as text.
  private static func withoutTexts(_ text: [UInt8]) -> [UInt8] {
    var code = text
    var at = 0
    func stands(_ part: String, at place: Int) -> Bool {
      text[place...].starts(with: part.utf8)
    }
    func blank(to end: Int) {
      for place in at..<min(end, text.count) where text[place] != newline { code[place] = space }
      at = end
    }
    while at < text.count {
      if text[at] == slash, stands("//", at: at) {
        blank(to: text[at...].firstIndex(of: newline) ?? text.count)
      } else if text[at] == slash, stands("/*", at: at) {
        var end = at + 2
        while end < text.count, !stands("*/", at: end) { end += 1 }
        blank(to: end + 2)
      } else if text[at] == quote || (text[at] == hash && (stands("#\"", at: at) || stands("##\"", at: at))) {
        blank(to: endOfString(text, at))
      } else {
        at += 1
      }
    }
    return code
  }

  /// Where the string literal at a place ends.
  private static func endOfString(_ text: [UInt8], _ start: Int) -> Int {
    var at = start
    while text[at] == hash { at += 1 }
    let hashes = at - start
    let isLong = at + 2 < text.count && text[at + 1] == quote && text[at + 2] == quote
    at += isLong ? 3 : 1
    var depth = 0
    while at < text.count {
      if text[at] == backslash, hashes == 0 {
        if at + 1 < text.count, text[at + 1] == open { depth += 1 }
        at += 2
      } else if depth > 0 {
        if text[at] == open { depth += 1 }
        if text[at] == close { depth -= 1 }
        at = text[at] == quote ? endOfString(text, at) : at + 1
      } else if text[at] == quote {
        let count = isLong ? 3 : 1
        let end = at + count + hashes
        if end <= text.count, text[at..<at + count].allSatisfy({ $0 == quote }),
          text[at + count..<end].allSatisfy({ $0 == hash })
        {
          return end
        }
        at += 1
      } else {
        at += 1
      }
    }
    return text.count
  }

  /// All functions and initializers that have a body.
  var functions: [Function] {
    var found: [Function] = []
    var line = 1
    var at = 0
    while at < code.count {
      if code[at] == newline { line += 1 }
      if isWord(code[at]), at == 0 || !isWord(code[at - 1]) && code[at - 1] != dot {
        let end = code[at...].firstIndex { !isWord($0) } ?? code.count
        let word = String(decoding: code[at..<end], as: UTF8.self)
        if word == "func" || word == "init", let function = function(word, after: end, line: line) {
          found.append(function)
        }
        at = end
      } else {
        at += 1
      }
    }
    return found
  }

  private func function(_ keyword: String, after start: Int, line: Int) -> Function? {
    var at = start
    while at < code.count, code[at] == space { at += 1 }
    let nameEnd = code[at...].firstIndex { "(<? {".utf8.contains($0) } ?? code.count
    let name = keyword == "init" ? keyword : String(decoding: code[at..<nameEnd], as: UTF8.self)
    // Behind the generic parameters, if there are any.
    at = keyword == "init" ? at : max(nameEnd, at + 1)
    while at < code.count, code[at] == UInt8(ascii: "?") || code[at] == space { at += 1 }
    if at < code.count, code[at] == less { at = end(ofBracketAt: at, less, greater) }
    guard at < code.count, code[at] == open else { return nil }
    let listEnd = end(ofBracketAt: at, open, close)
    // The body's brace, unless another declaration begins first: then this is a requirement of a protocol.
    guard let brace = code[listEnd...].firstIndex(where: { $0 == openBrace || $0 == closeBrace }),
      code[brace] == openBrace
    else {
      return nil
    }
    let between = String(decoding: code[listEnd..<brace], as: UTF8.self)
    guard !between.contains(#/\b(func|var|init|subscript|case|let|associatedtype|protocol)\b/#) else {
      return nil
    }
    let last = end(ofBracketAt: brace, openBrace, closeBrace)
    let lines = code[start..<min(last, code.count)].count { $0 == newline } + 1
    return Function(name: name, line: line, lines: lines, parameters: parameters(code[at + 1..<listEnd - 1]))
  }

  /// The place behind the bracket that closes the one at a place.
  private func end(ofBracketAt start: Int, _ open: UInt8, _ close: UInt8) -> Int {
    var depth = 0
    for at in start..<code.count {
      if code[at] == open { depth += 1 }
      // The arrow of a function type is no bracket.
      if code[at] == close, close != greater || code[at - 1] != UInt8(ascii: "-") { depth -= 1 }
      if depth == 0 { return at + 1 }
    }
    return code.count
  }

  /// How many parameters a list has: each has one colon outside all brackets.
  private func parameters(_ list: ArraySlice<UInt8>) -> Int {
    var depth = 0
    var count = 0
    for byte in list {
      if "([{".utf8.contains(byte) { depth += 1 }
      if ")]}".utf8.contains(byte) { depth -= 1 }
      if byte == UInt8(ascii: ":"), depth == 0 { count += 1 }
    }
    return count
  }
}

private let newline = UInt8(ascii: "\n")
private let space = UInt8(ascii: " ")
private let slash = UInt8(ascii: "/")
private let quote = UInt8(ascii: "\"")
private let hash = UInt8(ascii: "#")
private let backslash = UInt8(ascii: "\\")
private let dot = UInt8(ascii: ".")
private let open = UInt8(ascii: "(")
private let close = UInt8(ascii: ")")
private let openBrace = UInt8(ascii: "{")
private let closeBrace = UInt8(ascii: "}")
private let less = UInt8(ascii: "<")
private let greater = UInt8(ascii: ">")

/// Whether a byte belongs to an identifier.
func isWord(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
    true
  default: false
  }
}
