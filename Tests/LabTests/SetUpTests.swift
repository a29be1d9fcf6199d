import Foundation
import Glibc
import NATLab
import Testing

extension Lab {
  /// What the page Operations says, done.
  @Suite struct SetUpTests {
    @Test("the first set-up of the page Operations: checked, examined, started, and a client browses")
    func firstSetUp() throws {
      let street = try Street()
      // The provider's router, as the page has it.
      try street.server.shell("ip address add 203.0.113.1/24 dev eth0")
      let page = try String(
        contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
          .deletingLastPathComponent().appending(path: "Sources/portico/portico.docc/Operations.md"),
        encoding: .utf8)
      let block = try #require(
        page.components(separatedBy: "```yaml\n").dropFirst().first?.components(separatedBy: "```").first)
      let lines = block.split(separator: "\n").map { $0.dropFirst(3) }.joined(separator: "\n")
      let text =
        lines.replacingOccurrences(of: "/var/lib/portico/", with: "\(street.folder.path)/")
        + "\ncontrol: { socket: \(street.controlSocket), group: \"0\" }\n"
      #expect(text.contains("interfaces:") && text.contains("state:") && text.contains("metrics:"))
      try Data(text.utf8).write(to: URL(fileURLWithPath: street.configurationFile))
      try street.gateway.shell("ip address flush dev lan0 && ip address flush dev wan0")
      let portico = try Lab.program("portico")
      #expect(try street.gateway.shell("\(portico) check \(street.configurationFile)").contains("good"))
      let doctor = try street.gateway.attempt("\(portico) doctor --config \(street.configurationFile)")
      #expect(doctor.code == 0, "\(doctor.output)")
      let daemon = try street.startDaemon()
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let page9 = try street.curl("-o page http://203.0.113.9/1")
      #expect(page9.code == 0, "\(page9.output)")
      #expect(try Download.isWhole(street.folder.appending(path: "page"), blocks: 1))
      withExtendedLifetime(web) {}
      let table = try street.gateway.shell("\(portico) table --socket \(street.controlSocket)")
      #expect(table.contains("203.0.113.9:80"), "\(table)")
      #expect(
        try street.gateway.shell("curl -sS http://127.0.0.1:9477/metrics").contains("portico_degraded 0\n"))
      daemon.expectEnd()
    }

    @Test(
      "portico install makes user, group and folders on a machine, and uninstall --purge leaves none of it",
      arguments: [true, false])
    func machine(hasSystemd: Bool) throws {
      // A machine of its own: copies of /usr, /etc and /var that only its processes see, and no service manager.
      let folder = FileManager.default.temporaryDirectory.appending(path: "portico-lab-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let script = """
        set -e
        mount -t tmpfs none \(folder.path)
        for part in usr etc var; do
          mkdir -p \(folder.path)/$part/upper \(folder.path)/$part/work
          mount -t overlay overlay /$part -o \
            lowerdir=/$part,upperdir=\(folder.path)/$part/upper,workdir=\(folder.path)/$part/work
        done
        mount -t tmpfs none /run
        \(hasSystemd ? "" : "rm -f /usr/bin/systemd-sysusers /bin/systemd-sysusers /usr/bin/systemd-tmpfiles")
        \(try Lab.program("portico")) install
        id portico
        stat -c '%n %U:%G %a' /var/lib/portico /run/portico /etc/portico/portico.yaml
        /usr/bin/portico install | grep -c 'is there'
        /usr/bin/portico uninstall
        id portico; ls /etc/portico
        \(try Lab.program("portico")) install >/dev/null
        /usr/bin/portico uninstall --purge
        if id portico 2>/dev/null || getent group portico; then echo left: the user; fi
        find /etc /usr /var/lib /run -xdev -name '*portico*' | sed 's/^/left: /'
        echo end
        """
      let process = try ChildProcess(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script])
      let output = process.readToEnd()
      #expect(process.wait() == 0, "\(output)")
      for line in [
        "installed: /usr/sbin/porticod", "/var/lib/portico portico:portico 750",
        "/run/portico portico:portico 755",
        "/etc/portico/portico.yaml root:root 644", "kept: /etc/portico/portico.yaml",
        "removed: /usr/bin/portico",
        "removed: /etc/portico/portico.yaml", "end\n",
      ] {
        #expect(output.contains(line), "\(line): \(output)")
      }
      #expect(!output.contains("left: "), "\(output)")
      #expect(!FileManager.default.fileExists(atPath: "/usr/sbin/porticod"))
    }

    @Test(
      "a file system that is full or read-only, or a file that cannot be replaced: named, and nothing half done"
    )
    func cannotWrite() throws {
      let folder = FileManager.default.temporaryDirectory.appending(path: "portico-lab-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let script = """
        install="\(try Lab.program("portico")) install --root \(folder.path)"
        mount -t tmpfs -o size=1M none \(folder.path)
        echo "full: $($install 2>&1; echo " code $?")"
        echo "left: $(ls -A \(folder.path))"
        mount -o remount,ro \(folder.path)
        echo "read-only: $($install 2>&1; echo " code $?")"
        mount -o remount,rw,size=2G \(folder.path)
        $install >/dev/null
        # An older release, of which one file cannot be replaced.
        for file in usr/sbin/porticod usr/lib/systemd/system/portico.service; do echo old >\(folder.path)/$file; done
        mount --bind \(folder.path)/usr/sbin/porticod \(folder.path)/usr/sbin/porticod
        echo "busy: $($install 2>&1; echo " code $?")"
        find \(folder.path) -name '.*' | sed 's/^/aside: /'
        umount \(folder.path)/usr/sbin/porticod
        $install | grep replaced
        """
      let process = try ChildProcess(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script])
      let output = process.readToEnd()
      #expect(process.wait() == 0, "\(output)")
      #expect(
        output.contains(
          /full: portico: .*\/usr\/bin\/.*No space left on device. Nothing was changed\n code 73\nleft: \n/),
        "\(output)")
      #expect(
        output.contains(/read-only: portico: .*\/usr: .*[Rr]ead.only.* Nothing was changed\n code 73\n/),
        "\(output)"
      )
      #expect(
        output.contains(
          /busy: portico: .*\/usr\/sbin\/porticod: Device or resource busy. Nothing was changed\n code 73\n/),
        "\(output)")
      #expect(
        output.hasSuffix("portico.service\n")
          && output.contains("replaced: \(folder.path)/usr/sbin/porticod\n"))
      #expect(!output.contains("aside: "), "\(output)")
    }
  }
}
