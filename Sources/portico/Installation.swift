import ArgumentParser
import Foundation
import Glibc
import NATControl
import NATSystem

/// The files of an installation, and their places.
struct Installation {
  /// One installed file.
  struct Item {
    /// The path below the root.
    var path: String
    var mode: Int = 0o644
    var content: Data
  }

  /// The folder that stands for `/`; empty for this machine.
  let root: String

  /// The operator's configuration, which is never overwritten.
  static let configuration = "/etc/portico/portico.yaml"
  static let state = "/var/lib/portico"
  static let runtime = "/run/portico"
  static let unit = "portico.service"
  static let users = "/usr/lib/sysusers.d/portico.conf"
  static let directories = "/usr/lib/tmpfiles.d/portico.conf"
  static let daemon = "/usr/sbin/porticod"
  static let command = "/usr/bin/portico"

  /// Folders that an uninstallation removes if they are empty.
  static let folders = ["/usr/share/portico", "/etc/portico", runtime]

  /// The files that are embedded in this program.
  private static let carried: [(path: String, bytes: [UInt8])] = [
    ("/usr/lib/systemd/system/\(unit)", PackageResources.portico_service),
    (users, PackageResources.portico_sysusers),
    (directories, PackageResources.portico_tmpfiles),
    ("/usr/share/portico/portico.yaml", PackageResources.portico_yaml),
    ("/usr/share/portico/portico.rules.yml", PackageResources.portico_rules_yml),
    ("/usr/share/portico/portico-dashboard.json", PackageResources.portico_dashboard_json),
  ]

  private static let completions: [(folder: String, prefix: String, suffix: String, shell: CompletionShell)] =
    [
      ("/usr/share/bash-completion/completions", "", "", .bash),
      ("/usr/share/zsh/vendor-completions", "_", "", .zsh),
      ("/usr/share/fish/vendor_completions.d", "", ".fish", .fish),
    ]

  /// The paths of all files but the configuration.
  static var paths: [String] {
    [command, daemon] + carried.map(\.path)
      + completions.flatMap { completion in
        ["portico", "porticod"].map { "\(completion.folder)/\(completion.prefix)\($0)\(completion.suffix)" }
      }
  }

  /// Reads both programs; the other files are embedded in this one.
  /// - Throws: `ExitCode` if the daemon is not beside this program, or is of another release.
  func items() throws -> [Item] {
    let own = try Programs.own()
    let daemon = URL(fileURLWithPath: own).deletingLastPathComponent().path
    // Both programs lie side by side after a build; after an installation in Debian's folders.
    let candidates = ["\(daemon)/porticod", "\(daemon)/../sbin/porticod"]
    guard let daemon = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      throw Failure.exit(
        Failure.noInput,
        "found no porticod in \(daemon); expected both programs in one folder: `swift build -c release --static-swift-stdlib`"
      )
    }
    let version = try Programs.output([daemon, "--version"]).trimmingCharacters(in: .whitespacesAndNewlines)
    guard version == Release.version else {
      throw Failure.exit(
        Failure.badData,
        "\(daemon): found release '\(version)'; expected \(Release.version), as this program is")
    }
    var items = [
      Item(path: Self.command, mode: 0o755, content: try Data(contentsOf: URL(fileURLWithPath: own))),
      Item(path: Self.daemon, mode: 0o755, content: try Data(contentsOf: URL(fileURLWithPath: daemon))),
    ]
    items += Self.carried.map { Item(path: $0.path, content: Data($0.bytes)) }
    for completion in Self.completions {
      let texts = [
        "portico": Portico.completionScript(for: completion.shell),
        "porticod": try Programs.output([daemon, "--generate-completion-script", completion.shell.rawValue]),
      ]
      for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
        let path = "\(completion.folder)/\(completion.prefix)\(name)\(completion.suffix)"
        items.append(Item(path: path, content: Data(text.utf8)))
      }
    }
    if kind(of: Self.configuration) == .nothing {
      items.append(Item(path: Self.configuration, content: Data(PackageResources.portico_yaml)))
    }
    return items
  }

  /// The kind of file at a path.
  enum Kind: Equatable {
    case nothing
    case file
    case other(String)
  }

  func kind(of path: String) -> Kind {
    var facts = stat()
    // Safety: the path is not kept.
    guard unsafe lstat(root + path, &facts) == 0 else { return .nothing }
    switch facts.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .other("a directory")
    case S_IFLNK: return .other("a symbolic link")
    default: return .other("neither a file nor a directory")
    }
  }

  /// Installs all items or none: writes temporary files and renames them when all are complete. Running
  /// programs keep their old files.
  /// - Returns: the outcome for each item.
  func install(_ items: [Item]) throws -> [(path: String, what: String)] {
    for item in items {
      if case .other(let found) = kind(of: item.path) {
        throw Failure.exit(
          Failure.cannotWrite,
          "\(root + item.path): found \(found); expected a file, or nothing. Nothing was changed")
      }
    }
    var staged: [(item: Item, aside: String, what: String)] = []
    var results: [(path: String, what: String)] = []
    var made: [String] = []
    do {
      for item in items {
        let place = root + item.path
        let old = try? Data(contentsOf: URL(fileURLWithPath: place))
        if old == item.content, mode(of: place) == item.mode {
          results.append((item.path, "is there"))
          continue
        }
        try makeFolder(of: place, &made)
        let aside = Self.aside(place)
        staged.append((item, aside, old == nil ? "installed" : "replaced"))
        try item.content.write(to: URL(fileURLWithPath: aside))
        try FileManager.default.setAttributes([.posixPermissions: item.mode], ofItemAtPath: aside)
      }
    } catch {
      for one in staged { try? FileManager.default.removeItem(atPath: one.aside) }
      // Safety: the paths are not kept.
      for folder in made.reversed() { unsafe _ = rmdir(folder) }
      throw Failure.exit(Failure.cannotWrite, "\(Self.reason(error)). Nothing was changed")
    }
    for (number, one) in staged.enumerated() {
      // Safety: neither path is kept.
      guard unsafe rename(one.aside, root + one.item.path) == 0 else {
        let reason = errorText(errno)
        for rest in staged { try? FileManager.default.removeItem(atPath: rest.aside) }
        let done = staged[..<number].map(\.item.path)
        throw Failure.exit(
          Failure.cannotWrite,
          "\(root + one.item.path): \(reason). "
            + (done.isEmpty
              ? "Nothing was changed"
              : "These are of this release already: \(done.joined(separator: ", ")). Install again when it is mended")
        )
      }
      results.append((one.item.path, one.what))
    }
    return results
  }

  /// Makes the missing folders above a path, and adds them to `made`.
  private func makeFolder(of place: String, _ made: inout [String]) throws {
    let folder = (place as NSString).deletingLastPathComponent
    guard !FileManager.default.fileExists(atPath: folder) else { return }
    try makeFolder(of: folder, &made)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    made.append(folder)
  }

  /// Removes the files, our empty folders, and temporary files of an interrupted installation.
  /// - Returns: the paths that existed.
  func remove(_ paths: [String]) throws -> [String] {
    var removed: [String] = []
    for path in paths {
      try? FileManager.default.removeItem(atPath: Self.aside(root + path))
      guard kind(of: path) != .nothing else { continue }
      do {
        try FileManager.default.removeItem(atPath: root + path)
      } catch {
        throw Failure.exit(Failure.cannotWrite, "\(Self.reason(error)). Run it again when that is mended")
      }
      removed.append(path)
    }
    // Safety: the paths are not kept. Folders that are not empty stay.
    for folder in Self.folders { unsafe _ = rmdir(root + folder) }
    return removed
  }

  private static func aside(_ place: String) -> String {
    let url = URL(fileURLWithPath: place)
    return url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).portico-new").path
  }

  private func mode(of place: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: place))?[.posixPermissions] as? Int
  }

  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    let path = error.userInfo[NSFilePathErrorKey] as? String
    let cause = error.userInfo[NSUnderlyingErrorKey] as? POSIXError
    return "\(path ?? "a file"): \(cause.map { errorText($0.code.rawValue) } ?? error.localizedDescription)"
  }
}
