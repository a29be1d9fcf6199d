import Foundation
import Glibc
import NATLab
import Testing

extension Lab {
  @Suite struct DemoTests {
    /// Runs of `portico` with a folder for temporary files of their own.
    final class Stage {
      let folder = FileManager.default.temporaryDirectory.appending(
        path: "portico-stage-\(UUID().uuidString)")

      init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      }

      deinit { try? FileManager.default.removeItem(at: folder) }

      func start(_ arguments: String = "demo", behind prefix: String = "") throws -> ChildProcess {
        let program = try Lab.program("portico")
        return try ChildProcess([
          "/bin/sh", "-c", "TMPDIR=\(folder.path) exec \(prefix) \(program) \(arguments)",
        ])
      }

      /// Files that stayed, and processes that still speak of them.
      func leftovers() throws -> [String] {
        var found = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        for process in try FileManager.default.contentsOfDirectory(atPath: "/proc") where Int(process) != nil
        {
          let line = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process)/cmdline"))) ?? Data()
          let text = String(decoding: line, as: UTF8.self)
          if text.contains(folder.path) { found.append(text) }
        }
        return found
      }
    }

    @Test("the demo runs live as root: real programs, the table, the counters, and nothing stays behind")
    func live() throws {
      let stage = try Stage()
      let demo = try stage.start()
      let output = demo.readToEnd()
      #expect(demo.wait() == 0, "\(output)")
      for line in [
        #"udp +192\.168\.1\.2 +\d+ +203\.0\.113\.5 +\d+ +203\.0\.113\.9:53 +active"#,
        #"tcp +192\.168\.1\.2 +\d+ +203\.0\.113\.5 +\d+ +203\.0\.113\.9:443 +established"#,
        #"icmp +192\.168\.1\.2 +\d+ +203\.0\.113\.5 +\d+ +203\.0\.113\.9 +active"#,
        #"inside +[\d.]+K?/"#, "download: 16,000,000 bytes, the same on both sides",
      ] {
        #expect(try output.contains(Regex(line)), "no line like \(line) in: \(output)")
      }
      #expect(try stage.leftovers() == [])
    }

    @Test("an interrupted demo cleans up", arguments: [SIGINT, SIGTERM, SIGPIPE])
    func interrupted(number: Int32) throws {
      let stage = try Stage()
      let demo = try stage.start()
      #expect(demo.read(until: "client$ ").contains("client$ "))
      #expect(try !stage.leftovers().isEmpty)
      demo.signal(number)
      let output = demo.readToEnd()
      #expect(output.contains("interrupted"), "\(output)")
      #expect(demo.wait() == 128 + number)
      #expect(try stage.leftovers() == [])
    }

    @Test("without the right to make namespaces the demo says so and replays the shipped capture")
    func replayed() throws {
      let stage = try Stage()
      let demo = try stage.start(behind: "setpriv --bounding-set -all")
      let output = demo.readToEnd()
      #expect(output.contains("no new network namespace: Operation not permitted"), "\(output)")
      #expect(output.contains("142.250.195.100:443"), "\(output)")
      #expect(demo.wait() == 0)
      #expect(try stage.leftovers() == [])
    }
  }
}
