import NATWire

/// A configuration as it was written: each setting for itself is right, or missing here and reported; what
/// they say about each other is not checked yet.
struct Draft {
  let report: Report
  var inside = InterfaceDraft()
  var outside = InterfaceDraft()
  var gateway: Located<IPv4Address>?
  var routes: [RouteDraft] = []
  /// Whether `routes` is a list, so that its entries are all there are.
  var routesAreKnown = true
  /// `nil` where the file leaves it to the default.
  var insideNetworks: [Located<IPv4Network>]?
  /// Whether all of the networks could be read.
  var insideNetworksAreKnown = true
  /// `nil` where the file leaves it to the default.
  var pool: [PoolDraft]?
  var statics: [StaticDraft] = []
  /// The settings that stand for themselves.
  var nat = Configuration.NAT(insideNetworks: [], pool: [])
  var workers = 1
  var capture = Configuration.Capture()
  var control = Configuration.Control()
  var metrics = Configuration.Metrics()
  var state = Configuration.State()
  var record = Configuration.Record()
  var kernelGuard = true
  var log = Configuration.Log()

  struct InterfaceDraft {
    var name: Located<String>?
    /// `nil` where it is the host's, too: nothing is known of it yet.
    var address: Located<AddressInNetwork>?
    var hasMachineAddress = false
    var mac: MACAddress?
    var mtu: Int?

    var finished: Configuration.Interface? {
      guard let name, address != nil || hasMachineAddress else { return nil }
      var interface = Configuration.Interface(
        name: name.value, address: address?.value.address ?? .machine,
        prefixLength: Int(address?.value.network.prefixLength ?? 32), mac: mac, mtu: mtu)
      interface.hasMachineAddress = hasMachineAddress
      return interface
    }
  }

  struct RouteDraft {
    let network: Located<IPv4Network>?
    let via: Located<IPv4Address>?
  }

  struct PoolDraft {
    let address: Located<IPv4Address>
    /// `nil` if they could not be read.
    let ports: [ClosedRange<UInt16>]?
    /// That of the ports, or by default that of the address.
    let place: Place
  }

  init(reading root: Node, report: Report) {
    self.report = report
    var root = root
    if case .nothing = root.content { root = Node(place: root.place, content: .mapping([])) }
    let file = Section(root, at: root.place, keys: Keys.root, report: report)
    guard file.isReadable else { return }
    readInterfaces(file)
    readRoutes(file)
    readNAT(file.section("nat", keys: Keys.nat))
    readStatics(file)
    readSurroundings(file)
  }

  /// The configuration, if the settings go together; the report says where they do not.
  func checked() -> Configuration? {
    checkInterfaces()
    checkRoutes()
    checkInsideNetworks()
    checkPool()
    checkStatics()
    guard let inside = inside.finished, let outside = outside.finished else { return nil }
    var configuration = Configuration(
      interfaces: Configuration.Interfaces(inside: inside, outside: outside, gateway: gateway?.value),
      routes: routes.compactMap { route in
        guard let network = route.network, let via = route.via else { return nil }
        return Configuration.Route(network: network.value, via: via.value)
      })
    let (insideNetworks, pool) = (configuration.nat.insideNetworks, configuration.nat.pool)
    configuration.nat = nat
    configuration.nat.insideNetworks = self.insideNetworks?.map(\.value) ?? insideNetworks
    configuration.nat.pool = mergedPool ?? pool
    configuration.statics = statics.map(\.mapping)
    configuration.workers = workers
    configuration.capture = capture
    configuration.control = control
    configuration.metrics = metrics
    configuration.state = state
    configuration.record = record
    configuration.kernelGuard = kernelGuard
    configuration.log = log
    return configuration
  }

  /// One entry for each address, in the order of the file.
  private var mergedPool: [Configuration.PoolAddress]? {
    pool?.reduce(into: []) { merged, entry in
      if let index = merged.firstIndex(where: { $0.address == entry.address.value }) {
        merged[index].ports = (merged[index].ports + (entry.ports ?? [])).merged
      } else {
        merged.append(Configuration.PoolAddress(entry.address.value, ports: entry.ports ?? []))
      }
    }
  }
}
