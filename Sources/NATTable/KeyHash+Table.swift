public import NATMemory
public import NATWire

/// The keys of the table's indexes. Each kind of key has its own number: 1, 2, 3 and 5.
extension KeyHash {
  @inlinable @inline(__always) func ofPrivate(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64
  {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 1)
  }

  @inlinable @inline(__always) func ofSession(_ binding: BindingIndex, _ remote: Endpoint) -> UInt64 {
    self(UInt64(remote.address.rawValue) << 32 | UInt64(binding.rawValue), UInt64(remote.port) << 8 | 2)
  }

  @inlinable @inline(__always) func ofPermit(_ binding: BindingIndex, _ remote: IPv4Address) -> UInt64 {
    self(UInt64(remote.rawValue) << 32 | UInt64(binding.rawValue), 3)
  }

  @inlinable @inline(__always) func ofPublic(_ transport: TransportProtocol, _ endpoint: Endpoint) -> UInt64 {
    self(
      UInt64(endpoint.address.rawValue) << 32 | UInt64(endpoint.port) << 8 | UInt64(transport.rawValue), 5)
  }
}
