import ReferenceNAT
import Testing

/// Terms of port forwards, the rate of new sessions, and reloads.
struct ChangeTests {
  private static let web = ReferenceEndpoint(Host.two, 80)
  private static let x = ReferenceEndpoint(Host.publicAddress, 8080)
  private static let client = ReferenceEndpoint(Host.one, 5000)
  private static let server = ReferenceEndpoint(Host.server, 53)
  private static let otherServer = ReferenceEndpoint(Host.otherServer, 53)

  private static func settings(
    _ terms: (inout ReferenceSettings.Terms) -> Void = { _ in }
  ) -> ReferenceSettings {
    var chosen = ReferenceSettings.Terms()
    terms(&chosen)
    return .plain.with { $0.statics = [.forward(.udp, public: x, private: web, terms: chosen)] }
  }

  @Test("ST-3 what the host of an inbound forward begins has a dynamic binding")
  func inbound() {
    var nat = ReferenceNAT(Self.settings { $0.isInboundOnly = true })
    #expect(nat.give(Build.udp(Self.server, Self.x), on: .outside).count == 1)
    nat.give(Build.udp(Self.web, Self.otherServer), on: .inside)
    // Listed by public endpoint: the dynamic binding has 1024.
    #expect(nat.table().map(\.kind) == [.dynamic, .static])
  }

  @Test("ST-5 a forward for one remote takes nothing of others, nor of inside hosts")
  func remote() {
    var nat = ReferenceNAT(Self.settings { $0.remotes = ReferenceNetwork(Host.server, 32) })
    #expect(nat.give(Build.udp(Self.server, Self.x), on: .outside).count == 1)
    #expect(nat.give(Build.udp(Self.otherServer, Self.x), on: .outside).isEmpty)
    #expect(nat.give(Build.udp(Self.client, Self.x), on: .inside).isEmpty)
    #expect(nat.counted == ["noBinding": 2])
  }

  @Test("ST-11 a forward with a lifetime is in force at its last instant and not after it")
  func lifetime() {
    var nat = ReferenceNAT(Self.settings { $0.lifetime = 60 * second })
    nat.give(Build.udp(Self.client, Self.server), on: .inside)
    #expect(nat.give(Build.udp(Self.server, Self.x), on: .outside, at: 60 * second).count == 1)
    #expect(nat.give(Build.udp(Self.server, Self.x), on: .outside, at: 60 * second + 1).isEmpty)
  }

  @Test("ST-11 a one-shot forward ends with its session")
  func once() {
    var nat = ReferenceNAT(Self.settings { $0.isOneShot = true })
    #expect(nat.give(Build.udp(Self.server, Self.x), on: .outside).count == 1)
    #expect(nat.give(Build.udp(Self.otherServer, Self.x), on: .outside).isEmpty)
    nat.give(Build.udp(Self.client, Self.server), on: .inside, at: 301 * second)
    #expect(nat.table().map(\.kind) == [.dynamic])
  }

  @Test("LIM2 two sessions a second: the third waits for half a second")
  func rate() {
    var nat = ReferenceNAT(.plain.with { $0.limits.hostSessionsPerSecond = 2 })
    func opens(_ port: UInt16, at instant: UInt64) -> Bool {
      let packet = Build.udp(Self.client, ReferenceEndpoint(Host.server, port))
      return nat.give(packet, on: .inside, at: instant).contains { $0.side == .outside }
    }
    #expect(opens(1, at: 0) && opens(2, at: 0) && !opens(3, at: second / 2 - 1) && opens(3, at: second / 2))
    #expect(nat.counted == ["hostSessionRate": 1])
  }

  @Test("UT6 a lifetime that a reload changes holds from the next packet that restarts it")
  func lifetimeChanges() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.udp(Self.client, Self.server), on: .inside)
    nat.change(to: .plain.with { $0.lifetimes.udp = 30 * second }, at: 10 * second)
    #expect(nat.table()[0].sessions[0].expiresIn == 290 * second)
    nat.give(Build.udp(Self.client, Self.server), on: .inside, at: 20 * second)
    #expect(nat.table()[0].sessions[0].expiresIn == 30 * second)
  }

  @Test("RC1 ST-8 a reload ends what goes and what is in the way of a forward")
  func ends() {
    var nat = ReferenceNAT(.plain)
    nat.give(Build.udp(ReferenceEndpoint(Host.one, 8080), Self.server), on: .inside)
    #expect(nat.table().map(\.publicEnd) == [Self.x])
    nat.change(to: Self.settings(), at: second)
    #expect(nat.table().map(\.kind) == [.static])
    nat.give(Build.udp(Self.client, Self.server), on: .inside, at: 2 * second)
    nat.change(to: .plain.with { $0.poolAsked = [] }, at: 3 * second)
    #expect(nat.table().isEmpty && nat.stats().events.sessionsExpired == 2)
  }
}
