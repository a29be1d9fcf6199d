import Glibc
import Synchronization

/// Counts the calls of the Swift runtime that a packet path must not make.
///
/// The runtime calls `swift_allocObject`, `swift_retain` and `swift_release` through variables that tools may
/// replace. Between `begin` and `end` they point to counting functions. `swift_allocObject` makes every
/// object, array and closure context. In a static runtime they cannot be found, and nothing is counted.
struct RuntimeCalls {
  struct Counts: Equatable {
    var allocations = 0
    var retains = 0
    var releases = 0
  }

  /// The counts; nil if they cannot be counted.
  private(set) var counts: Counts?

  private let allocate = Hook("_swift_allocObject")
  private let retain = Hook("_swift_retain")
  private let release = Hook("_swift_release")

  init() {
    guard let allocate, let retain, let release else { return }
    RuntimeCounts.allocateAddress.store(allocate.original, ordering: .relaxed)
    RuntimeCounts.retainAddress.store(retain.original, ordering: .relaxed)
    RuntimeCounts.releaseAddress.store(release.original, ordering: .relaxed)
    // Test that an allocation is counted; otherwise report none.
    counts = Counts()
    begin()
    _ = Probe.make()
    end()
    counts = counts != Counts() ? Counts() : nil
  }

  /// An object whose allocation must be counted.
  private final class Probe {
    var next: Probe?
    @inline(never) static func make() -> Probe { Probe() }
  }

  mutating func begin() {
    guard counts != nil, let allocate, let retain, let release else { return }
    RuntimeCounts.allocations.store(0, ordering: .relaxed)
    RuntimeCounts.retains.store(0, ordering: .relaxed)
    RuntimeCounts.releases.store(0, ordering: .relaxed)
    // Safety: the replacements have the C signatures of what they stand for and call it.
    unsafe allocate.set(unsafeBitCast(countAllocation as AllocateFunction, to: UInt.self))
    unsafe retain.set(unsafeBitCast(countRetain as CountFunction, to: UInt.self))
    unsafe release.set(unsafeBitCast(countRelease as ReleaseFunction, to: UInt.self))
  }

  mutating func end() {
    guard counts != nil, let allocate, let retain, let release else { return }
    allocate.restore()
    retain.restore()
    release.restore()
    counts?.allocations += RuntimeCounts.allocations.load(ordering: .relaxed)
    counts?.retains += RuntimeCounts.retains.load(ordering: .relaxed)
    counts?.releases += RuntimeCounts.releases.load(ordering: .relaxed)
  }
}

/// A variable of the runtime that holds the address of a function.
@safe private struct Hook {
  private let variable: UnsafeMutablePointer<UInt>
  let original: UInt

  init?(_ name: String) {
    // Safety: the symbol is a variable of the size of a pointer; null is the handle of the whole program.
    guard let symbol = unsafe dlsym(nil, name) else { return nil }
    unsafe variable = symbol.assumingMemoryBound(to: UInt.self)
    unsafe original = variable.pointee
  }

  // Safety: the variable lives as long as the program, and only this thread runs Swift code meanwhile.
  func set(_ address: UInt) { unsafe variable.pointee = address }
  func restore() { unsafe variable.pointee = original }
}

private typealias AllocateFunction =
  @convention(c) (UnsafeRawPointer?, Int, Int) -> UnsafeMutableRawPointer?
private typealias CountFunction = @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
private typealias ReleaseFunction = @convention(c) (UnsafeMutableRawPointer?) -> Void

private enum RuntimeCounts {
  static let allocations = Atomic<Int>(0)
  static let retains = Atomic<Int>(0)
  static let releases = Atomic<Int>(0)
  static let allocateAddress = Atomic<UInt>(0)
  static let retainAddress = Atomic<UInt>(0)
  static let releaseAddress = Atomic<UInt>(0)
}

private func countAllocation(
  _ metadata: UnsafeRawPointer?, _ size: Int, _ alignment: Int
) -> UnsafeMutableRawPointer? {
  RuntimeCounts.allocations.add(1, ordering: .relaxed)
  // Safety: the address was read from the runtime's own variable for this function.
  let original = unsafe unsafeBitCast(
    RuntimeCounts.allocateAddress.load(ordering: .relaxed), to: AllocateFunction.self)
  return unsafe original(metadata, size, alignment)
}

private func countRetain(_ object: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  RuntimeCounts.retains.add(1, ordering: .relaxed)
  // Safety: as above.
  let original = unsafe unsafeBitCast(
    RuntimeCounts.retainAddress.load(ordering: .relaxed), to: CountFunction.self)
  return unsafe original(object)
}

private func countRelease(_ object: UnsafeMutableRawPointer?) {
  RuntimeCounts.releases.add(1, ordering: .relaxed)
  // Safety: as above.
  let original = unsafe unsafeBitCast(
    RuntimeCounts.releaseAddress.load(ordering: .relaxed), to: ReleaseFunction.self)
  unsafe original(object)
}
