public import NATWire

extension Configuration {
  /// The key `interfaces`.
  public struct Interfaces: Sendable, Equatable {
    public var inside: Interface
    public var outside: Interface
    /// The key `outside.gateway`: the next hop for everything off-link. Without one, off-link destinations
    /// cannot be reached; outside with `address: host` it is the kernel's.
    public var gateway: IPv4Address?

    public init(inside: Interface, outside: Interface, gateway: IPv4Address? = nil) {
      self.inside = inside
      self.outside = outside
      self.gateway = gateway
    }
  }

  /// One of the two interfaces.
  public struct Interface: Sendable, Equatable {
    /// The device, at most 15 bytes.
    public var name: String
    /// The gateway's own address on this side; with ``hasMachineAddress`` the host's, `0.0.0.0` while it is not known.
    public var address: IPv4Address
    /// The connected network, which holds `address`.
    public var network: IPv4Network
    /// The gateway's own MAC address on this side; without one, the device's own.
    public var mac: MACAddress?
    /// The MTU in bytes, 68 to 65535; without one, the device's own.
    public var mtu: Int?
    /// `address: host`: the host's kernel has the address, and keeps it.
    public var hasMachineAddress = false

    /// - Precondition: `prefixLength` is at most 32.
    public init(
      name: String, address: IPv4Address, prefixLength: Int, mac: MACAddress? = nil, mtu: Int? = nil
    ) {
      self.name = name
      self.address = address
      network = IPv4Network(address, prefixLength: prefixLength)
      self.mac = mac
      self.mtu = mtu
    }
  }

  /// A network behind an inside router.
  public struct Route: Sendable, Equatable {
    public var network: IPv4Network
    /// The router, an address of the inside network.
    public var via: IPv4Address

    public init(network: IPv4Network, via: IPv4Address) {
      self.network = network
      self.via = via
    }
  }
}
