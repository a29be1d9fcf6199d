import Foundation
import TestSupport
import Testing

@testable import NATTable

/// The table against a model that is slow and obvious, under random operations.
///
/// The long run is `swift test -c release -Xswiftc -enable-testing --filter DictionaryTableTests`.
/// `PORTICO_TABLE_SEEDS` (numbers with commas) and `PORTICO_TABLE_OPERATIONS` (for each seed) choose what runs.
@Suite struct DictionaryTableTests {
  static let seeds: [UInt64] = {
    if let text = ProcessInfo.processInfo.environment["PORTICO_TABLE_SEEDS"] {
      return text.split(separator: ",").compactMap { UInt64($0) }
    }
    return (0..<4).map { _ in UInt64.random(in: 0...UInt64.max) }
  }()

  static let operations: Int = {
    if let text = ProcessInfo.processInfo.environment["PORTICO_TABLE_OPERATIONS"], let count = Int(text) {
      return count
    }
    #if DEBUG
    return 100_000
    #else
    return 1_000_000
    #endif
  }()

  /// Operations before a new world, with other settings, begins.
  static let operationsInWorld = 5000

  @Test("every answer of the table is the model's, whatever happens", arguments: seeds)
  func answersAlike(seed: UInt64) {
    print("seed \(seed), \(Self.operations) operations")
    var worlds = Generator(seed: seed)
    for world in 0..<(Self.operations + Self.operationsInWorld - 1) / Self.operationsInWorld {
      let pair = SideBySide(seed: worlds.next())
      var operation = 0
      do throws(Difference) {
        while operation < Self.operationsInWorld {
          try pair.step()
          if operation % 250 == 0 { try pair.compareAll() }
          if operation % 2500 == 1000 { try pair.comparePools() }
          operation += 1
        }
        try pair.compareAll()
        try pair.comparePools()
      } catch {
        Issue.record("seed \(seed), world \(world), operation \(operation): \(error); \(pair.summary)")
        return
      }
    }
  }
}
