import Foundation
import Glibc
import TestSupport
import Testing

@testable import portico

/// `portico install` and `uninstall` below a folder of the test's own.
@Suite(.serialized) struct InstallTests {
  /// Runs the command from a folder that is not the one it installs to.
  private static func portico(_ arguments: String..., program: URL? = nil) throws -> PorticoCommand.Result {
    try withTemporaryFolder { try PorticoCommand.run(arguments, in: $0, program: program) }
  }

  private static func file(_ root: URL, _ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  /// Paths of all files below a folder, from it on.
  private static func files(_ root: URL) throws -> [String] {
    let found = try FileManager.default.subpathsOfDirectory(atPath: root.path)
    return try found.filter { path in
      let facts = try FileManager.default.attributesOfItem(atPath: root.appending(path: path).path)
      return facts[.type] as? FileAttributeType == .typeRegular
    }.sorted()
  }

  @Test(
    "an installation is whole: programs, unit, user, completions, configuration, alerts; and comes off again")
  func whole() throws {
    try withTemporaryFolder { root in
      let result = try Self.portico("install", "--root", root.path)
      #expect(result.code == 0, "\(result)")
      for (path, source) in [
        ("usr/lib/systemd/system/portico.service", "systemd/portico.service"),
        ("usr/lib/sysusers.d/portico.conf", "systemd/portico.sysusers"),
        ("usr/lib/tmpfiles.d/portico.conf", "systemd/portico.tmpfiles"),
        ("usr/share/portico/portico.yaml", "config/portico.yaml"),
        ("usr/share/portico/portico.rules.yml", "config/portico.rules.yml"),
        ("usr/share/portico/portico-dashboard.json", "config/portico-dashboard.json"),
        ("etc/portico/portico.yaml", "config/portico.yaml"),
      ] {
        #expect(try Self.file(root, path) == Self.file(PorticoCommand.package, source), "\(path)")
      }
      #expect(try Self.file(root, "usr/share/bash-completion/completions/portico").contains("uninstall"))
      #expect(try Self.file(root, "usr/share/bash-completion/completions/porticod").contains("--config"))
      #expect(try Self.file(root, "usr/share/zsh/vendor-completions/_portico").hasPrefix("#compdef portico"))
      for program in ["usr/bin/portico", "usr/sbin/porticod"] {
        #expect(FileManager.default.isExecutableFile(atPath: root.appending(path: program).path))
      }
      // What was installed installs itself elsewhere.
      let installed = try Self.files(root)
      try withTemporaryFolder { second in
        let again = try Self.portico(
          "install", "--root", second.path, program: root.appending(path: "usr/bin/portico"))
        #expect(again.code == 0, "\(again)")
        #expect(try Self.files(second) == installed)
      }
      let repeated = try Self.portico("install", "--root", root.path)
      #expect(repeated.code == 0 && !repeated.text.contains("installed:"), "\(repeated)")
      #expect(!repeated.text.contains("replaced:"))
      let removal = try Self.portico("uninstall", "--root", root.path, "--purge")
      #expect(removal.code == 0, "\(removal)")
      #expect(try Self.files(root) == [])
      let nothing = try Self.portico("uninstall", "--root", root.path)
      #expect(nothing.code == 0 && nothing.text.contains("nothing is installed"), "\(nothing)")
    }
  }

  @Test("an edited configuration and the state outlive upgrade and removal, but not a purge")
  func keeps() throws {
    try withTemporaryFolder { root in
      #expect(try Self.portico("install", "--root", root.path).code == 0)
      let configuration = root.appending(path: "etc/portico/portico.yaml")
      let unit = root.appending(path: "usr/lib/systemd/system/portico.service")
      let state = root.appending(path: "var/lib/portico/snapshot")
      try "# mine\n".write(to: configuration, atomically: true, encoding: .utf8)
      try "# of an older release\n".write(to: unit, atomically: true, encoding: .utf8)
      try FileManager.default.createDirectory(
        at: state.deletingLastPathComponent(), withIntermediateDirectories: true)
      try "state".write(to: state, atomically: true, encoding: .utf8)
      let upgrade = try Self.portico("install", "--root", root.path)
      #expect(upgrade.text.contains("replaced: \(unit.path)"), "\(upgrade)")
      #expect(upgrade.text.contains("kept: \(configuration.path)"))
      #expect(try Self.file(root, "etc/portico/portico.yaml") == "# mine\n")
      let removal = try Self.portico("uninstall", "--root", root.path)
      #expect(removal.code == 0 && removal.text.contains("kept: "), "\(removal)")
      #expect(try Self.files(root) == ["etc/portico/portico.yaml", "var/lib/portico/snapshot"])
      #expect(try Self.portico("uninstall", "--root", root.path, "--purge").code == 0)
      #expect(try Self.files(root) == [])
    }
  }

  @Test("whatever the umask, all may read what is installed, and root alone may write it")
  func modes() throws {
    try withTemporaryFolder { root in
      let line = "umask 077; exec '\(try PorticoCommand.executable().path)' install --root '\(root.path)'"
      let result = try Self.portico("-c", line, program: URL(fileURLWithPath: "/bin/sh"))
      #expect(result.code == 0, "\(result)")
      for path in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
        let facts = try FileManager.default.attributesOfItem(atPath: root.appending(path: path).path)
        let isFolder = facts[.type] as? FileAttributeType == .typeDirectory
        let isProgram = path.hasPrefix("usr/bin/") || path.hasPrefix("usr/sbin/")
        #expect(facts[.posixPermissions] as? Int == (isFolder || isProgram ? 0o755 : 0o644), "\(path)")
        #expect(facts[.ownerAccountID] as? UInt32 == geteuid(), "\(path)")
      }
    }
  }

  @Test("what stands in the way is named, and nothing is changed")
  func refuses() throws {
    try withTemporaryFolder { root in
      let inTheWay = root.appending(path: "usr/sbin/porticod")
      try FileManager.default.createDirectory(at: inTheWay, withIntermediateDirectories: true)
      let refused = try Self.portico("install", "--root", root.path)
      #expect(
        refused.code == 73 && refused.errors.contains("\(inTheWay.path): found a directory"), "\(refused)")
      #expect(try Self.files(root) == [])
      // A folder that cannot be made, behind files that could be written.
      try FileManager.default.removeItem(at: root.appending(path: "usr"))
      try "".write(to: root.appending(path: "etc"), atomically: true, encoding: .utf8)
      let half = try Self.portico("install", "--root", root.path)
      #expect(half.code == 73 && half.errors.contains("Nothing was changed"), "\(half)")
      #expect(try FileManager.default.subpathsOfDirectory(atPath: root.path) == ["etc"])
      let missing = try Self.portico("install", "--root", root.path + "/none")
      #expect(missing.code == 73 && missing.errors.contains("expected a folder"), "\(missing)")
    }
    try withTemporaryFolder { folder in
      // The command without the daemon.
      let alone = folder.appending(path: "bin/portico")
      try FileManager.default.createDirectory(
        at: alone.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: PorticoCommand.executable(), to: alone)
      let result = try Self.portico("install", "--root", folder.path, program: alone)
      #expect(result.code == 66 && result.errors.contains("found no porticod"), "\(result)")
    }
  }

  @Test(
    "systemd takes the unit as installed, and finds an exposure of 2.0 at most", .enabled(if: hasAnalyzer))
  func unit() throws {
    try withTemporaryFolder { root in
      #expect(try Self.portico("install", "--root", root.path).code == 0)
      let unit = root.appending(path: "usr/lib/systemd/system/portico.service").path
      let (code, text) = try Self.analyze("security", "--offline=true", "--threshold=20", unit, in: root)
      #expect(code == 0, "\(text)")
      // Where the programs are is below the folder today.
      let here = root.appending(path: "portico.service")
      try Self.file(root, "usr/lib/systemd/system/portico.service")
        .replacingOccurrences(of: "=/usr/", with: "=\(root.path)/usr/")
        .write(to: here, atomically: true, encoding: .utf8)
      let verdict = try Self.analyze("verify", here.path, in: root)
      #expect(verdict.code == 0 && verdict.text == "", "\(verdict)")
    }
  }

  private static let hasAnalyzer =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze")
    || ProcessInfo.processInfo.environment["PORTICO_LAB"] == "required"

  private static func analyze(_ arguments: String..., in folder: URL) throws -> (code: Int32, text: String) {
    let result = try PorticoCommand.run(
      arguments, in: folder, program: URL(fileURLWithPath: "/usr/bin/systemd-analyze"))
    return (result.code, result.text + result.errors)
  }
}
