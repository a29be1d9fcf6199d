/// A view of the bytes of one frame. Multi-byte values are read and written in network byte order.
///
/// A frame does not own its bytes. It is valid until the ``FrameBatch``, ``Outbox`` or buffer that it came from is
/// cleared. Every access is bounds-checked: an error in a length ends the process instead of reading another packet. The
/// checks cost nothing measurable, because the branches are always predicted.
@safe public struct Frame: BitwiseCopyable {
  @usableFromInline let base: UnsafeMutableRawPointer
  @usableFromInline let storedCount: UInt32

  /// Bytes in the frame.
  @inlinable public var count: Int { Int(storedCount) }

  /// - Parameters:
  ///   - base: the first byte; the memory must outlive every use of the frame.
  ///   - count: bytes that may be read and written from `base` on.
  @inlinable public init(unsafeBase base: UnsafeMutableRawPointer, count: Int) {
    unsafe self.base = base
    storedCount = UInt32(count)
  }

  /// A view whose length was checked already.
  @inlinable @inline(__always) init(checked base: UnsafeMutableRawPointer, _ count: UInt32) {
    unsafe self.base = base
    storedCount = count
  }

  /// The bytes, for copying.
  @inlinable public var unsafeBytes: UnsafeRawBufferPointer {
    // Safety: the initializer was given `count` valid bytes.
    unsafe UnsafeRawBufferPointer(start: base, count: count)
  }

  @inlinable @inline(__always) public func uint8(at offset: Int) -> UInt8 {
    precondition(offset >= 0 && offset < count)
    // Safety: checked on the line above.
    return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
  }

  @inlinable @inline(__always) public func uint16(at offset: Int) -> UInt16 {
    precondition(offset >= 0 && offset <= count &- 2)
    // Safety: checked on the line above.
    return unsafe UInt16(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  @inlinable @inline(__always) public func uint32(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset <= count &- 4)
    // Safety: checked on the line above.
    return unsafe UInt32(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  @inlinable @inline(__always) public func uint64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset <= count &- 8)
    // Safety: checked on the line above.
    return unsafe UInt64(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inlinable @inline(__always) public func address(at offset: Int) -> IPv4Address {
    IPv4Address(uint32(at: offset))
  }

  /// The six bytes from `offset` on. Two more bytes must follow; after an address in a header they always do.
  @inlinable @inline(__always) public func macAddress(at offset: Int) -> MACAddress {
    MACAddress(upper: uint64(at: offset))
  }

  // Setters named `set` do not update checksums. Setters that do say so in their name.

  @inlinable @inline(__always) public func setUInt8(_ value: UInt8, at offset: Int) {
    precondition(offset >= 0 && offset < count)
    // Safety: checked on the line above.
    unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
  }

  @inlinable @inline(__always) public func setUInt16(_ value: UInt16, at offset: Int) {
    precondition(offset >= 0 && offset <= count &- 2)
    // Safety: checked on the line above.
    unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
  }

  @inlinable @inline(__always) public func setUInt64(_ value: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset <= count &- 8)
    // Safety: checked on the line above.
    unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
  }

  @inlinable @inline(__always) public func setUInt32(_ value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset <= count &- 4)
    // Safety: checked on the line above.
    unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
  }

  @inlinable @inline(__always) public func setAddress(_ address: IPv4Address, at offset: Int) {
    setUInt32(address.rawValue, at: offset)
  }

  @inlinable @inline(__always) public func setMACAddress(_ address: MACAddress, at offset: Int) {
    setUInt16(UInt16(truncatingIfNeeded: address.rawValue >> 32), at: offset)
    setUInt32(UInt32(truncatingIfNeeded: address.rawValue), at: offset &+ 2)
  }

  /// The `count` bytes from `offset` on.
  @inlinable @inline(__always) public func window(at offset: Int, count: Int) -> Frame {
    precondition(offset >= 0 && count >= 0 && offset <= self.count &- count)
    // Safety: checked on the line above.
    return unsafe Frame(checked: base + offset, UInt32(truncatingIfNeeded: count))
  }

  /// The same bytes and `headroom` free bytes before them.
  ///
  /// - Precondition: `headroom` is at most ``FrameBatch/headroom``, and the frame starts where the batch put it, or
  ///   later.
  @inlinable @inline(__always) func extendedForward(by headroom: Int) -> Frame {
    // Safety: a batch leaves `FrameBatch.headroom` bytes before each frame.
    unsafe Frame(checked: base - headroom, storedCount &+ UInt32(truncatingIfNeeded: headroom))
  }

  /// Copies `count` bytes of `source` from `offset` on to `target` here. The ranges may overlap.
  @inlinable @inline(__always) public func copy(_ source: Frame, from offset: Int, count: Int, to target: Int)
  {
    precondition(offset >= 0 && count >= 0 && offset <= source.count &- count)
    precondition(target >= 0 && target <= self.count &- count)
    // Safety: both ranges were checked on the lines above.
    unsafe (base + target).copyMemory(from: source.base + offset, byteCount: count)
  }
}
