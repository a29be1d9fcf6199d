import NATMemory
import NATWire

/// The received parts of each datagram, in units of 8 bytes, as fragment offsets count.
///
/// One byte for each unit says whether it has come, whether a fragment begins with it, and how many of its 8 bytes the
/// fragment that ends in it holds. That tells the exact place of every fragment without a list. The map of a datagram
/// takes 8 KiB, of which only the part up to its highest byte is ever touched.
///
/// - Complexity: O(units of the fragment), as for copying it.
struct PieceMaps: BitwiseCopyable {
  private let units: OwnedArray<UInt8>

  /// How a new fragment fits those that came before it.
  enum Fit {
    case new
    /// Exactly the place of an earlier one.
    case same
    case overlap
  }

  private static let unitsPerDatagram = 8192
  private static let present: UInt8 = 1
  private static let first: UInt8 = 2
  /// Bytes in the unit less one, in three bits.
  private static let bytesShift: UInt8 = 2

  static func byteCount(datagrams: Int) -> Int { datagrams * unitsPerDatagram }

  init(memory: MappedMemory, datagrams: Int) {
    units = memory.array(of: UInt8.self, count: PieceMaps.byteCount(datagrams: datagrams))
  }

  /// - Parameters:
  ///   - start: a multiple of 8.
  ///   - end: above `start`, at most 65,535.
  func fit(_ datagram: UInt32, start: Int, end: Int) -> Fit {
    let base = Int(datagram) * PieceMaps.unitsPerDatagram
    let (firstUnit, lastUnit) = (start / 8, (end - 1) / 8)
    var unit = firstUnit
    while unit <= lastUnit, units[base + unit] == 0 { unit += 1 }
    if unit > lastUnit { return .new }

    guard units[base + firstUnit] & PieceMaps.first != 0 else { return .overlap }
    unit = firstUnit + 1
    while unit <= lastUnit, units[base + unit] & (PieceMaps.present | PieceMaps.first) == PieceMaps.present {
      unit += 1
    }
    let goesOn =
      lastUnit + 1 < PieceMaps.unitsPerDatagram
      && units[base + lastUnit + 1] & (PieceMaps.present | PieceMaps.first) == PieceMaps.present
    return unit > lastUnit && !goesOn
      && units[base + lastUnit] >> PieceMaps.bytesShift == UInt8((end - 1) & 7)
      ? .same : .overlap
  }

  func add(_ datagram: UInt32, start: Int, end: Int) {
    let base = Int(datagram) * PieceMaps.unitsPerDatagram
    let (firstUnit, lastUnit) = (start / 8, (end - 1) / 8)
    for unit in firstUnit...lastUnit { units[base + unit] = PieceMaps.present | 7 << PieceMaps.bytesShift }
    units[base + lastUnit] = PieceMaps.present | UInt8((end - 1) & 7) << PieceMaps.bytesShift
    units[base + firstUnit] |= PieceMaps.first
  }

  /// Clears the map of a datagram whose highest byte lies before `end`.
  func clear(_ datagram: UInt32, end: Int) {
    let base = Int(datagram) * PieceMaps.unitsPerDatagram
    for unit in 0..<(end + 7) / 8 { units[base + unit] = 0 }
  }
}
