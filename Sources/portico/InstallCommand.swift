import ArgumentParser
import Foundation
import Glibc
import NATControl

struct InstallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install",
    abstract: "Install the gateway as a service, or upgrade an installation to this release.",
    discussion: """
      Installs from this program and the porticod beside it: both programs (/usr/bin/portico, /usr/sbin/porticod), the \
      systemd unit, the user and group `portico`, completions for bash, zsh and fish, and in /usr/share/portico the \
      commented configuration, alert rules for Prometheus and a dashboard for Grafana.

      Writes the configuration /etc/portico/portico.yaml if there is none, and never changes an existing one. Starts \
      nothing: edit the configuration, then run `portico check`, `portico doctor` and `systemctl enable --now portico`.

      Over an older release it writes all files beside the old ones and then renames them, so a failure leaves the old \
      release complete. A running gateway keeps its old program until `systemctl restart portico`; the kernel rules stay in \
      place meanwhile. Installing twice changes nothing.

      With --root it only writes files below a folder, for a package: it makes no user and calls no service manager.

      EXAMPLES
        portico install
        portico install --root build/package

      FILES
        /etc/portico/portico.yaml                the configuration, yours
        /usr/bin/portico, /usr/sbin/porticod     the programs
        /usr/lib/systemd/system/portico.service  the unit
        /usr/lib/sysusers.d/portico.conf         the user and the group
        /usr/lib/tmpfiles.d/portico.conf         /run/portico, /var/lib/portico
        /usr/share/portico                       configuration, alerts, dashboard

      EXIT CODES
        0   done
        65  the porticod beside this program is another release
        66  there is no porticod beside this program
        69  a program of the system failed
        73  a file cannot be written; the message says if anything was changed
        77  not root
      """)

  @Option(
    help: ArgumentHelp("Install below this folder, and leave this machine alone.", valueName: "folder"),
    completion: .directory)
  var root: String?

  func run() throws {
    let installation = try ServiceSystem.installation(root)
    // The daemon does not run as root and must read the folders made here, so ignore the shell's umask.
    umask(0o022)
    let items = try installation.items()
    let isConfigured = !items.contains { $0.path == Installation.configuration }
    for result in try installation.install(items) {
      print("\(result.what): \(installation.root)\(result.path)")
    }
    if isConfigured { print("kept: \(installation.root)\(Installation.configuration)") }
    guard root == nil else { return }
    try ServiceSystem.makeUser()
    try ServiceSystem.makeDirectories()
    if ServiceSystem.isRunning { try Programs.output(["systemctl", "daemon-reload"]) }
    print(
      """

      Next: edit \(Installation.configuration), then
        portico check \(Installation.configuration)
        portico doctor --config \(Installation.configuration)
        systemctl enable --now portico      (a gateway that runs: systemctl restart portico)
      """)
  }
}

struct UninstallCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uninstall",
    abstract: "Stop the service and remove what `portico install` installed.",
    discussion: """
      Keeps the configuration (/etc/portico), the state (/var/lib/portico) and the user, unless --purge is given. \
      Succeeds if nothing is installed. Keeps the changes made with `systemctl edit portico`; `systemctl revert portico` \
      removes them.

      EXAMPLES
        portico uninstall
        portico uninstall --purge

      EXIT CODES
        0 done, 69 a program of the system failed, 73 a file cannot be removed,
        77 not root
      """)

  @Option(
    help: ArgumentHelp(
      "Uninstall from below this folder, and leave this machine alone.", valueName: "folder"),
    completion: .directory)
  var root: String?

  @Flag(help: "Remove configuration, state and user too.")
  var purge = false

  func run() throws {
    let installation = try ServiceSystem.installation(root)
    let isThere = installation.kind(of: "/usr/lib/systemd/system/\(Installation.unit)") != .nothing
    if root == nil, ServiceSystem.isRunning, isThere {
      try Programs.output(["systemctl", "disable", "--now", Installation.unit])
    }
    var paths = Installation.paths
    if purge { paths += [Installation.configuration, Installation.state, Installation.runtime] }
    let removed = try installation.remove(paths)
    for path in removed { print("removed: \(installation.root)\(path)") }
    if removed.isEmpty { print("nothing is installed") }
    if !purge {
      for path in [Installation.configuration, Installation.state]
      where installation.kind(of: path) != .nothing {
        print("kept: \(installation.root)\(path)")
      }
    }
    guard root == nil else { return }
    if ServiceSystem.isRunning { try Programs.output(["systemctl", "daemon-reload"]) }
    if purge { try ServiceSystem.removeUser() }
  }
}

/// What an installation needs from the system.
private enum ServiceSystem {
  /// Whether systemd is the service manager of this machine (sd_booted(3)).
  static var isRunning: Bool { FileManager.default.fileExists(atPath: "/run/systemd/system") }

  static func installation(_ root: String?) throws -> Installation {
    guard let root else {
      guard geteuid() == 0 else {
        throw Failure.exit(77, "expected to run as root; or with --root, to install below a folder")
      }
      return Installation(root: "")
    }
    // The trailing slash follows a symbolic link.
    guard Installation(root: root).kind(of: "/") == .other("a directory") else {
      throw Failure.exit(Failure.cannotWrite, "\(root): expected a folder that is there")
    }
    return Installation(root: URL(fileURLWithPath: root).path)
  }

  /// Safety: the result is only compared with null.
  private static var hasUser: Bool { unsafe (getpwnam("portico") != nil) }

  static func makeUser() throws {
    if Programs.has("systemd-sysusers") {
      try Programs.output(["systemd-sysusers", Installation.users])
    } else if !hasUser {
      try Programs.output([
        "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", Installation.state,
        "--shell", "/usr/sbin/nologin", "portico",
      ])
    }
  }

  static func makeDirectories() throws {
    guard !Programs.has("systemd-tmpfiles") else {
      try Programs.output(["systemd-tmpfiles", "--create", Installation.directories])
      return
    }
    for (mode, folder) in [("0750", Installation.state), ("0755", Installation.runtime)] {
      try Programs.output(["install", "-d", "-o", "portico", "-g", "portico", "-m", mode, folder])
    }
  }

  static func removeUser() throws {
    if hasUser { try Programs.output(["userdel", "portico"]) }
    // Safety: the result is only compared with null. Most systems' `userdel` removes the group, too.
    if unsafe (getgrnam("portico") != nil) { try Programs.output(["groupdel", "portico"]) }
  }
}
