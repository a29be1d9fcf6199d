import NATConfiguration
import TestSupport
import Testing

/// Configurations written out, as a recording has them.
@Suite struct ConfigurationTextTests {
  @Test("a random configuration written out and read again is the same")
  func again() throws {
    for seed in 1...300 as ClosedRange<UInt64> {
      var dice = Dice(seed: seed)
      var configuration = Surroundings(.implemented, &dice).configuration
      configuration.interfaces.inside.name = "lan0"
      configuration.interfaces.outside.name = "wan0"
      configuration.state.file = dice.percent(50) ? "/var/lib/portico/state" : nil
      configuration.record.isActive = dice.percent(50)
      let again = try Configuration.parse(configuration.yaml, file: "portico.yaml")
      #expect(
        again == configuration, "seed \(seed): \(configuration.changes(to: again))\n\(configuration.yaml)")
      guard again == configuration else { return }
    }
  }
}
