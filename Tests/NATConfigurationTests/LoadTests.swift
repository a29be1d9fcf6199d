import Foundation
import NATConfiguration
import Testing

/// Files that are missing, unreadable or not text.
@Suite final class LoadTests {
  private let directory = FileManager.default.temporaryDirectory
    .appendingPathComponent("portico-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: directory) }

  private func problems(of path: String) -> (kind: ConfigurationErrors.Kind, text: String)? {
    do {
      _ = try Configuration.load(path: path)
      return nil
    } catch {
      return (error.kind, error.description)
    }
  }

  private func path(_ name: String, holding bytes: Data) throws -> String {
    let file = directory.appendingPathComponent(name)
    try bytes.write(to: file)
    return file.path
  }

  @Test("a file that is read")
  func readable() throws {
    let path = try path("good.yaml", holding: Data(interfaces.utf8))
    #expect(try Configuration.load(path: path) == Configuration.parse(interfaces, file: path))
  }

  @Test("a missing file is unreadable, as are a directory and a path through a file")
  func unreadable() throws {
    let missing = directory.appendingPathComponent("missing.yaml").path
    let result = try #require(problems(of: missing))
    #expect(result.kind == .unreadable)
    #expect(result.text == "\(missing): configuration: found no such file; expected a readable YAML file")

    let folder = try #require(problems(of: directory.path))
    #expect(folder.kind == .unreadable)
    #expect(
      folder.text == "\(directory.path): configuration: found a directory; expected a readable YAML file")

    let file = try path("file", holding: Data())
    #expect(problems(of: "\(file)/portico.yaml")?.kind == .unreadable)
  }

  @Test("bad content names the file as it was given")
  func content() throws {
    let path = try path("bad.yaml", holding: Data("\(interfaces)workers: 0\n".utf8))
    let result = try #require(problems(of: path))
    #expect(result.kind == .content)
    #expect(result.text == "\(path):4:10: workers: found \"0\"; expected a number from 1 to 64")
  }

  @Test(
    "bytes that are not UTF-8",
    arguments: [
      (Data("# caf\u{E9} \u{1F600}\nlog: caf".utf8) + [0xE9, 0x0A], "2:9"),
      (Data([0xFF, 0xFE, 0x61, 0x00]), "1:1"), (Data("a: \u{20AC}".utf8.dropLast()), "1:4"),
    ])
  func notText(bytes: Data, place: String) throws {
    let path = try path("bytes.yaml", holding: bytes)
    let result = try #require(problems(of: path))
    #expect(result.kind == .content)
    #expect(
      result.text == "\(path):\(place): configuration: found bytes that are not UTF-8; expected UTF-8 text")
  }
}
