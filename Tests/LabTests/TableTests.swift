import Foundation
import Glibc
import NATControl
import NATControlSocket
import NATLab
import TestSupport
import Testing

extension Lab {
  /// The table of a running daemon beside what the hosts at both ends know.
  @Suite struct TableTests {
    /// Two hosts with the same ports open to one server: for each, three connections from one port, three from
    /// ports of their own, and three flows of UDP. Each goes to another port of the server.
    private struct Town {
      let street: Street
      let second: NetworkNamespace
      let streams: [Stream]
      let flows: [UDPEnd]

      static let perHost = 9

      init(_ street: Street, _ second: NetworkNamespace) throws {
        self.street = street
        self.second = second
        var (streams, flows): ([Stream], [UDPEnd]) = ([], [])
        let server: [UInt8] = [203, 0, 113, 9]
        for (number, host) in [street.client, second].enumerated() {
          for index in 0..<6 {
            let port = UInt16(8000 + 10 * number + index)
            let listener = try street.server.enter { Stream(try PlainSocket.listener(port: port)) }
            let local = UInt16(index < 3 ? 6000 : 6000 + index)
            streams.append(try host.enter { Stream(try PlainSocket.stream(port: local, to: server, port)) })
            streams.append(Stream(try listener.socket.accept()))
          }
          for index in 0..<3 {
            let port = UInt16(7000 + 10 * number + index)
            let there = try street.server.enter { try UDPEnd(port: port) }
            let here = try host.enter { try UDPEnd(port: UInt16(6100 + index)) }
            try here.socket.connect(to: server, port)
            try here.send([1], server, port)
            let came = try there.socket.receiveDatagram()
            try there.socket.connect(to: came.host, came.port)
            flows += [there, here]
          }
        }
        self.streams = streams
        self.flows = flows
      }

      /// The connected sockets of a namespace: its own end and the other.
      static func sockets(_ namespace: NetworkNamespace) throws -> [(
        transport: String, own: String, other: String
      )] {
        try ["tcp", "udp"].flatMap { transport in
          try namespace.shell("ss -\(transport.prefix(1))nH").split(separator: "\n").map { line in
            let words = line.split(separator: " ").filter { $0.contains(":") }
            return (transport, String(words[0]), String(words[1]))
          }
        }
      }

      /// What both ends say, joined by the server's port, which no two share.
      func flowsByEnds() throws -> Set<Flow> {
        let outside = try Town.sockets(street.server)
        let inside = try Town.sockets(street.client) + Town.sockets(second)
        try #require(outside.count == 2 * Town.perHost && inside.count == 2 * Town.perHost)
        return try Set(
          inside.map { end in
            let there = outside.filter { $0.transport == end.transport && $0.own == end.other }
            try #require(there.count == 1, "\(end)")
            return Flow(
              transport: end.transport, privateEndpoint: end.own, publicEndpoint: there[0].other,
              remote: end.other)
          })
      }

      /// Waits until no connection is in its handshake.
      func settle() async throws {
        var opening = TableFilter()
        opening.state = .synSent
        try #require(await eventually { try await street.control.wholeTable(opening).isEmpty })
      }
    }

    @Test(
      "SH1 SH2 SH3 the table is what the sockets at both ends say, each once and nothing else; hosts add up")
    func everything() async throws {
      let street = try Street()
      let second = try street.addHost()
      let daemon = try street.startDaemon()
      let town = try Town(street, second)
      try await town.settle()
      let expected = try town.flowsByEnds()
      #expect(expected.count == 2 * Town.perHost)
      let bindings = try await street.control.wholeTable()
      let listed = Flow.all(bindings)
      #expect(Set(listed) == expected && listed.count == expected.count)
      // One binding for the port that three connections share.
      #expect(bindings.count == 2 * (Town.perHost - 2))
      for session in bindings.flatMap(\.sessions) {
        #expect(session.packetsOut > 0 && session.bytesOut >= session.packetsOut * 20 && !session.hairpin)
      }
      let lines = try street.portico("table --csv").output.split(separator: "\n").dropFirst().map {
        let cells = $0.split(separator: ",", omittingEmptySubsequences: false)
        return Flow(
          transport: String(cells[0]), privateEndpoint: "\(cells[2]):\(cells[3])",
          publicEndpoint: "\(cells[4]):\(cells[5])", remote: "\(cells[7]):\(cells[8])")
      }
      #expect(lines.count == expected.count && Set(lines) == expected)

      let hosts = try await street.control.hosts(limit: 10)
      #expect(hosts.total == 2 && Set(hosts.hosts.map(\.address)) == ["192.168.1.2", "192.168.1.3"])
      for host in hosts.hosts {
        #expect(
          host.sessions == Town.perHost && host.dynamicBindings == Town.perHost - 2
            && host.staticBindings == 0)
        let own = bindings.filter { $0.privateEndpoint.address == host.address }.flatMap(\.sessions)
        #expect(host.packetsOut == own.reduce(0) { $0 + $1.packetsOut })
        #expect(host.bytesIn == own.reduce(0) { $0 + $1.bytesIn })
      }
      let people = try street.portico("hosts").output
      #expect(people.contains("192.168.1.2") && people.contains("192.168.1.3"), "\(people)")
      withExtendedLifetime(town) {}
      daemon.expectEnd()
    }

    @Test("SH1 every filter selects what a look at every line does, by the command and by curl")
    func filters() async throws {
      let street = try Street()
      let second = try street.addHost()
      try street.configure("static: [{ protocol: tcp, public: 203.0.113.5:8080, private: 192.168.1.2:80 }]")
      let daemon = try street.startDaemon()
      let town = try Town(street, second)
      // Nobody answers there: a connection in its handshake.
      try street.server.shell(
        "nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t c tcp dport 99 drop'"
      )
      let opening = try street.client.start(["/usr/bin/curl", "-s", "-m", "30", "http://203.0.113.9:99/"])
      #expect(
        try await eventually {
          try await street.control.wholeTable().flatMap(\.sessions).contains { $0.state == .synSent }
        })
      let all = try await street.control.wholeTable()
      let sample = try #require(
        all.first { $0.transport == .udp && $0.privateEndpoint.address == "192.168.1.3" })
      typealias Line = (binding: BindingDocument, session: SessionDocument?)
      let cases: [(String, String, (Line) -> Bool)] = [
        ("protocol", "udp", { $0.binding.transport == .udp }),
        ("private", "192.168.1.3", { $0.binding.privateEndpoint.address == "192.168.1.3" }),
        ("private", "192.168.1.2/31", { _ in true }),
        ("private", "192.168.1.2:6000", { $0.binding.privateEndpoint.text == "192.168.1.2:6000" }),
        ("public", sample.publicEndpoint.text, { $0.binding.publicEndpoint == sample.publicEndpoint }),
        ("remote", "203.0.113.9:8001", { $0.session?.remote.text == "203.0.113.9:8001" }),
        ("remote", "198.51.100.0/24", { _ in false }),
        ("state", "syn-sent", { $0.session?.state == .synSent }),
        ("state", "established", { $0.session?.state == .established }),
        ("state", "active", { $0.session?.state == .active }),
        ("kind", "static", { $0.binding.kind == .static }),
        ("kind", "dynamic", { $0.binding.kind == .dynamic }),
      ]
      func keys(_ bindings: [BindingDocument]) -> Set<String> {
        Set(
          bindings.flatMap { binding in
            let name = "\(binding.transport) \(binding.privateEndpoint.text) \(binding.publicEndpoint.text) "
            return binding.sessions.isEmpty
              ? [name] : binding.sessions.map { name + $0.remote.text }
          })
      }
      for (name, value, isMeant) in cases {
        let right = keys(
          all.compactMap { binding in
            var left = binding
            left.sessions = binding.sessions.filter { isMeant((binding, $0)) }
            let isEmpty = left.sessions.isEmpty && !(binding.sessions.isEmpty && isMeant((binding, nil)))
            return isEmpty ? nil : left
          })
        let outputs = [
          try street.portico("table --json --\(name) \(value)").output,
          try street.ask("/v1/table?\(name)=\(value)"),
        ]
        for output in outputs {
          let found = try JSONDecoder().decode(TableDocument.self, from: Data(output.utf8))
          #expect(keys(found.bindings) == right, "\(name) \(value)")
        }
      }
      let both = try street.ask("/v1/table?protocol=tcp&private=192.168.1.2:6000&remote=203.0.113.9:8002")
      #expect(
        try JSONDecoder().decode(TableDocument.self, from: Data(both.utf8)).bindings.flatMap(\.sessions).count
          == 1)
      opening.signal(SIGTERM)
      _ = opening.wait()
      withExtendedLifetime(town) {}
      daemon.expectEnd()
    }

    @Test(
      "SH1 SH7 a walk by pages while 5,000 sessions a second come and go: what lives is there exactly once")
    func paging() async throws {
      let street = try Street()
      try street.configure(
        """
        nat:
          lifetimes: { udp: 1s, ports: { udp/53: 600s } }
          limits: { sessions: 131072, per-host: { ports: 16384, sessions: 131072 } }
        """)
      let daemon = try street.startDaemon()
      #expect(try street.ping("203.0.113.9", count: 1))
      let lasting = try street.client.enter { try UDPEnd(port: 5000) }
      func send(_ numbers: some Sequence<Int>) throws {
        for (place, number) in numbers.enumerated() {
          try lasting.send([1], [198, 51, UInt8(number >> 8), UInt8(number & 0xFF)], 53)
          // The capture keeps up.
          if place % 50 == 49 { usleep(5_000) }
        }
      }
      try send(0..<2000)
      var living = TableFilter()
      living.remote = EndpointPattern("198.51.0.0/16")
      var count = 0
      let isThere = try await eventually {
        let remotes = Set(
          try await street.control.wholeTable(living).flatMap(\.sessions).map(\.remote.address))
        count = remotes.count
        // A ring that was full for a moment lost some.
        try send((0..<2000).filter { !remotes.contains("198.51.\($0 >> 8).\($0 & 0xFF)") })
        return count == 2000
      }
      #expect(isThere, "\(count) of 2000")
      let survivors = Set(Flow.all(try await street.control.wholeTable(living)))

      let churn = try Churn(street.client, port: 5001, rate: 5500)
      // Until they also go.
      #expect(try await eventually { try await street.control.stats().events.sessionsExpired > 100 })
      // Again while other programs keep the machine from such a rate: what is behind is made up for, but a ring that is
      // full loses some.
      var made = 0.0
      var gone = 0.0
      let end = ContinuousClock.now + .seconds(60)
      repeat {
        let before = try await street.control.stats()
        let start = ContinuousClock.now
        var walks = 0
        var pages = 0
        while walks < 2 || ContinuousClock.now - start < .seconds(2) {
          var seen: [Flow: Int] = [:]
          var cursor: String?
          repeat {
            let page = try await street.control.table(TableFilter(), after: cursor, limit: 400)
            #expect(page.bindings.reduce(0) { $0 + $1.sessions.count } <= 400)
            for flow in Flow.all(page.bindings) { seen[flow, default: 0] += 1 }
            cursor = page.next
            pages += 1
          } while cursor != nil
          // No remote of the churn is used again, so nothing at all may come twice.
          #expect(seen.values.allSatisfy { $0 == 1 })
          #expect(survivors.allSatisfy { seen[$0] == 1 })
          walks += 1
        }
        let time = (ContinuousClock.now - start) / .seconds(1)
        let after = try await street.control.stats()
        made = Double(after.events.sessionsCreated - before.events.sessionsCreated) / time
        gone = Double(after.events.sessionsExpired - before.events.sessionsExpired) / time
        print(
          "paging: \(walks) walks, \(pages) pages in \(time) s; a second \(Int(made)) made, \(Int(gone)) gone"
        )
      } while (made < 5000 || gone < 4000) && ContinuousClock.now < end
      #expect(made >= 5000 && gone >= 4000)

      // The command's own walk, and the daemon's in one answer.
      let csv = try street.portico("table --csv").output.split(separator: "\n")
      #expect(
        csv.filter { $0.contains(",198.51.") }.count == 2000
          && Set(csv.map { $0.split(separator: ",")[7...8].joined() }).count == csv.count)
      let whole = try JSONDecoder().decode(TableDocument.self, from: Data(street.ask("/v1/table").utf8))
      let flows = Flow.all(whole.bindings)
      #expect(Set(flows).count == flows.count && survivors.isSubset(of: flows))
      #expect(churn.stop() > 0)
      daemon.expectEnd()
    }

    @Test(
      "SH4 SH6 an ended session's next packet makes a new one, whose age and counters start anew",
      arguments: ["--private 192.168.1.2:5000", "--public 203.0.113.5:5000", "--remote 203.0.113.9:9"])
    func ending(filter: String) async throws {
      let street = try Street()
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let socket = try street.client.enter { try UDPEnd(port: 5000) }
      let other = try street.client.enter { try UDPEnd(port: 5002) }
      for _ in 0..<3 {
        try socket.send([1], [203, 0, 113, 9], 9)
        _ = try server.socket.receiveDatagram()
      }
      try other.send([1], [203, 0, 113, 9], 10)
      var own = TableFilter()
      own.privateEndpoint = EndpointPattern("192.168.1.2:5000")
      usleep(300_000)
      let before = try #require(try await street.control.wholeTable(own).first)
      #expect(before.sessions.map(\.packetsOut) == [3] && before.age.nanoseconds > 300_000_000)
      let ended = try street.portico("end --protocol udp \(filter)")
      #expect(
        ended.code == 0 && ended.output.contains("ended 1 session and 1 binding")
          && ended.output.contains("operator"), "\(ended)")
      #expect(try await street.control.wholeTable().map(\.privateEndpoint.port) == [5002])
      try server.send([2], [203, 0, 113, 5], 5000)
      #expect(socket.socket.receive(within: 0.1) == nil)
      try socket.send([1], [203, 0, 113, 9], 9)
      // The same host gets the port that rests for it.
      #expect(try server.socket.receiveDatagram().port == 5000)
      let after = try #require(try await street.control.wholeTable(own).first)
      #expect(after.sessions.map(\.packetsOut) == [1] && after.age.nanoseconds < before.age.nanoseconds)
      #expect(after.sessions.map(\.packetsIn) == [0])
      daemon.expectEnd()
    }

    @Test("SH5 end --all ends what is dynamic, and static mappings stay; without a filter nothing ends")
    func endingAll() async throws {
      let street = try Street()
      try street.configure("static: [{ protocol: udp, public: 203.0.113.5:5005, private: 192.168.1.2:9 }]")
      let daemon = try street.startDaemon()
      let server = try street.server.enter { try UDPEnd(port: 9) }
      let here = try street.client.enter { try UDPEnd(port: 9) }
      let sockets = try street.client.enter { try (0..<20).map { _ in try UDPEnd() } }
      for socket in sockets { try socket.send([1], [203, 0, 113, 9], 9) }
      try server.send([1], [203, 0, 113, 5], 5005)
      #expect(here.socket.receive() == [1])
      #expect(try await eventually { try await street.control.stats().sessions == 21 })
      #expect(try street.portico("end").code == 64)
      #expect(try street.ask("/v1/table", "-X DELETE").contains("no-filter"))
      #expect(try await street.control.stats().sessions == 21)
      let ended = try street.portico("end --all")
      #expect(ended.output.contains("ended 20 sessions and 20 bindings"), "\(ended)")
      let left = try await street.control.wholeTable()
      #expect(left.map(\.kind) == [.static] && left.flatMap(\.sessions).count == 1)
      try server.send([2], [203, 0, 113, 5], 5005)
      #expect(here.socket.receive() == [2])
      daemon.expectEnd()
    }
  }
}
