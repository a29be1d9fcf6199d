public import NATWire

extension Configuration {
  /// The key `interfaces`.
  public struct Interfaces: Sendable, Equatable {
    public var inside: Interface
    public var outside: Interface
    /// The key `outside.gateway`: the next hop for destinations without a route. Without it they are
    /// unreachable. With `address: host` it is the kernel's default gateway.
    public var gateway: IPv4Address?

    public init(inside: Interface, outside: Interface, gateway: IPv4Address? = nil) {
      self.inside = inside
      self.outside = outside
      self.gateway = gateway
    }

    /// The inside interface, then the outside one.
    public var indices: [InterfaceIndex] { [.inside, .outside] }

    /// - Precondition: `index` is one of ``indices``.
    public subscript(index: InterfaceIndex) -> Interface {
      get { index.side == .inside ? inside : outside }
      set { if index.side == .inside { inside = newValue } else { outside = newValue } }
    }
  }

  /// One interface.
  public struct Interface: Sendable, Equatable {
    /// The device name, at most 15 bytes.
    public var name: String
    /// The gateway's address on this side. With ``hasMachineAddress`` it is the machine's, or `0.0.0.0` while
    /// unknown.
    public var address: IPv4Address
    /// The connected network, which contains `address`.
    public var network: IPv4Network
    /// The gateway's MAC address on this side; nil for the device's.
    public var mac: MACAddress?
    /// The MTU in bytes, 68 to 65535; nil for the device's.
    public var mtu: Int?
    /// `address: host`: the gateway shares the address with the machine's kernel.
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

    /// The address and its network; nil with `address: host`.
    var ownAddress: AddressInNetwork? {
      get { hasMachineAddress ? nil : AddressInNetwork(address: address, network: network) }
      set {
        address = newValue?.address ?? .machine
        network = newValue?.network ?? .machine
        hasMachineAddress = newValue == nil
      }
    }
  }

  /// A network behind an inside router.
  public struct Route: Sendable, Equatable {
    public var network: IPv4Network
    /// The router's address, in the inside network.
    public var via: IPv4Address

    public init(network: IPv4Network, via: IPv4Address) {
      self.network = network
      self.via = via
    }
  }
}

extension Configuration {
  @SettingsBuilder<Configuration> static var interfaceSettings: [Setting<Configuration>] {
    Interface.settings(address: "192.168.1.9/24").map {
      $0.lifted(to: "interfaces.inside", \.interfaces.inside)
    }
    Interface.settings(address: "203.0.113.9/24").map {
      $0.lifted(to: "interfaces.outside", \.interfaces.outside)
    }
    Setting("interfaces.outside.gateway", optional: \.interfaces.gateway, .address, .live).about(
      "The next hop for all destinations without a route. Without one only the outside network can be reached. "
        + "With `address: host` the default is the kernel's gateway."
    ).samples("203.0.113.1", "203.0.113.254")
    Setting(
      "routes", entries: \.routes, Route.settings, empty: Route(network: .machine, via: .machine),
      "a list of routes such as { network: 10.9.0.0/24, via: 192.168.1.254 }", .live
    ).about("Inside networks behind inside routers.")
  }
}

extension Configuration.Interface {
  /// - Parameter address: an example for the documentation.
  fileprivate static func settings(address: String) -> [Setting<Self>] {
    Settings {
      Setting("name", \.name, .device, .restart).about("The network device.").required
      Setting("address", \.ownAddress, .interfaceAddressOrMachine, .restart).about(
        "Portico's address, with the prefix length of the network. `host`: the kernel has the address and keeps it, from "
          + "DHCP for example, and Portico follows it."
      ).required.samples(address, "host")
      Setting("mac", optional: \.mac, .macAddress, .restart)
        .about("Portico's MAC address.").byDefault("the device's own")
      Setting("mtu", optional: \.mtu, .number(68...65535), .restart)
        .about("The largest IPv4 packet in bytes.").byDefault("the device's own").samples("1500", "9000")
    }.list
  }
}

extension Configuration.Route {
  static let settings = Settings<Self> {
    Setting("network", \.network, .network, .live).about("The network behind the router.").required.samples(
      "10.9.0.0/24", "10.10.0.0/16")
    Setting("via", \.via, .address, .live).about("The router, an address of the inside network.").required
      .samples("192.168.1.254", "192.168.1.253")
  }
}
