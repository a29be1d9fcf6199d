import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import Testing

extension Lab {
  /// The flight recorder.
  @Suite struct RecordTests {
    /// Puts a dump through the gateway again, and compares with the table that the daemon had.
    private func compare(_ street: Street, _ name: String) throws -> (code: Int32, output: String) {
      let replay = "\(try Lab.program("portico")) replay --config portico.yaml --stats stats.json"
      return try street.client.attempt(
        """
        cd \(street.folder.path)/\(name) && \
        \(replay) --inside inside.pcap --outside outside.pcap --restore before.state --table again.json && \
        \(replay) --restore after.state --table then.json && cmp again.json then.json
        """)
    }

    private func dump(_ street: Street, _ name: String) throws {
      let answer = try street.portico("record dump \(street.folder.path)/\(name)")
      #expect(answer.code == 0 && answer.output.contains("packets (packets)"), "\(answer)")
    }

    /// What a table says of a session but for times.
    private func facts(_ bindings: [BindingDocument]) -> Set<String> {
      Set(
        bindings.flatMap { binding in
          binding.sessions.map {
            "\(binding.transport) \(binding.privateEndpoint.text) \(binding.publicEndpoint.text) \($0.remote.text) "
              + "\($0.state) \($0.packetsOut)/\($0.bytesOut) \($0.packetsIn)/\($0.bytesIn)"
          }
        })
    }

    @Test(
      "a recording put through the gateway again gives the table of the daemon, port by port, under mixed live traffic"
    )
    func replayed() async throws {
      let street = try Street()
      let second = try street.addHost()
      // Of two hosts with one private port, one gets a port at random.
      try street.configure("record: { active: on, window: 2s, memory: 96MiB }")
      let web = try street.server.enter { try HTTPServer(port: 80) }
      let echo = try street.server.enter { try UDPEnd(port: 9) }
      let daemon = try street.startDaemon()
      let first = try Churn(street.client, port: 5000, rate: 300)
      let other = try Churn(second, port: 5000, rate: 300)
      let download = try street.startDownload(24)
      for round in 0..<3 {
        #expect(try street.ping("203.0.113.9", count: 10))
        let fetched = try second.attempt(
          "for i in 1 2 3; do curl -sS -m 20 -o /dev/null http://203.0.113.9/1 || exit 1; done")
        #expect(fetched.code == 0, "\(fetched)")
        // A closed port answers with an error.
        let here = try second.enter { try UDPEnd() }
        try here.send([1], [203, 0, 113, 9], 99)
        try here.send([2], [203, 0, 113, 9], 9)
        let came = try echo.socket.receiveDatagram()
        try echo.send([3], came.host, came.port)
        #expect(here.socket.receive() == [3])
        if round == 1 {
          try dump(street, "under-way")
          let result = try compare(street, "under-way")
          #expect(result.code == 0, "\(result)")
        }
      }
      #expect(first.stop() > 0 && other.stop() > 0)
      try street.expectWhole(download, 24)
      // Nothing comes any more: the daemon's own answer is of the same instant.
      try await Task.sleep(for: .milliseconds(500))
      let live = facts(try await street.control.wholeTable())
      try dump(street, "quiet")
      let result = try compare(street, "quiet")
      #expect(result.code == 0, "\(result)")
      let json = try Data(contentsOf: street.folder.appending(path: "quiet/again.json"))
      let again = facts(try JSONDecoder().decode(TableDocument.self, from: json).bindings)
      #expect(again == live, "\(again.symmetricDifference(live).sorted().prefix(10))")
      #expect(live.count > 200)
      withExtendedLifetime(web) {}
      daemon.expectEnd()
    }

    @Test("what operators change begins the recording anew; on, off, headers and what is refused")
    func steered() async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      #expect(try street.portico("record").output == "not recording\n")
      let folder = street.folder.path
      let nothing = try street.portico("record dump \(folder)/none")
      #expect(nothing.code == 1 && nothing.output.contains("nothing is recorded"), "\(nothing)")
      #expect(try street.portico("record on").output.hasPrefix("recording: 0 packets (packets)"))
      #expect(try street.ping("203.0.113.9"))
      #expect(try await street.control.recording().packets >= 6)
      #expect(try street.portico("end --all").code == 0)
      let anew = try await street.control.recording()
      #expect(anew.packets == 0 && anew.begin == .change)
      #expect(try street.portico("record").output.contains("started again after a change"))
      #expect(try street.ping("203.0.113.9"))
      let there = try street.portico("record dump \(folder)")
      #expect(there.code == 1 && there.output.contains("expected one that is not there yet"), "\(there)")
      try dump(street, "first")
      #expect(try await street.control.recording().begin == .dump)
      #expect(try compare(street, "first").code == 0)
      #expect(try street.portico("record on --content headers").code == 0)
      #expect(try street.ping("203.0.113.9", count: 3, "-s 1000"))
      let headers = try street.portico("record dump \(folder)/headers")
      #expect(headers.code == 0 && headers.output.contains("packets (headers)"), "\(headers)")
      let readme = try String(contentsOf: street.folder.appending(path: "headers/README"), encoding: .utf8)
      #expect(readme.contains("Headers only: for reading"))
      let text = try street.client.shell("tcpdump -n -r \(folder)/headers/inside.pcap 2>&1")
      #expect(text.contains("ICMP echo request") && text.contains("length 1008"), "\(text)")
      #expect(try street.portico("record off").output == "not recording\n")
      daemon.signal(SIGTERM)
      #expect(daemon.readToEnd().contains("the recording starts again"))
      #expect(daemon.wait() == 0)
    }
  }
}
