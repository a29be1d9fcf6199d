import NATWire

extension Draft {
  mutating func readInterfaces(_ file: Section) {
    let interfaces = file.requiredSection("interfaces", keys: Keys.interfaces, atLeast: Keys.interfaces)
    let needed = ["name", "address"]
    inside = InterfaceDraft(interfaces.requiredSection("inside", keys: Keys.inside, atLeast: needed))
    let outside = interfaces.requiredSection("outside", keys: Keys.outside, atLeast: needed)
    self.outside = InterfaceDraft(outside)
    gateway = outside.value("gateway", .address)
  }

  mutating func readRoutes(_ file: Section) {
    routesAreKnown = file.node("routes").map(\.isList) ?? true
    for node in file.list("routes", of: "routes such as { network: 10.9.0.0/24, via: 192.168.1.254 }") ?? [] {
      let route = Section(node, at: node.place, keys: Keys.route, report: report)
      routes.append(
        RouteDraft(network: route.required("network", .network), via: route.required("via", .address)))
    }
  }

  mutating func readNAT(_ section: Section) {
    readInsideNetworks(section)
    nat.exempt = readNetworks(section, "exempt")?.compactMap { $0?.value } ?? []
    readPool(section)
    section.read("port-choice", into: &nat.portChoice, .word)
    section.read("parity", into: &nat.parity, .onOrOff)
    section.read(
      "port-rest", into: &nat.portRestNanoseconds,
      .duration(0...600, expected: "a duration from 0s to 600s, such as 120s or 2m"))
    section.read("pooling", into: &nat.pooling, .word)
    readFiltering(section)
    section.read("hairpin", into: &nat.hairpin, .onOrOff)
    section.read("inbound-refresh", into: &nat.inboundRefresh, .onOrOff)
    readLifetimes(section.section("lifetimes", keys: Keys.lifetimes))
    readLimits(section.section("limits", keys: Keys.limits))
    section.read("exhaustion", into: &nat.exhaustion, .word)
    section.read("evict", into: &nat.evict, .word)
    section.read("unsolicited-syn", into: &nat.unsolicitedSYN, .word)
    readTCP(section.section("tcp", keys: Keys.tcp))
    readFragments(section.section("fragments", keys: Keys.fragments))
    section.read("icmp-errors-per-second", into: &nat.icmpErrorsPerSecond, .number(0...1_000_000))
  }

  mutating func readSurroundings(_ file: Section) {
    file.read("workers", into: &workers, .number(1...64))
    let capture = file.section("capture", keys: Keys.capture)
    capture.read("delivery", into: &self.capture.delivery, .word)
    capture.read(
      "ring", into: &self.capture.ringBytes,
      .size(1 << 20...1 << 30, expected: "a size from 1MiB to 1GiB, such as 64MiB"))
    capture.read("snap-length", into: &self.capture.snapLength, .number(128...65_553))
    let control = file.section("control", keys: Keys.control)
    control.read("socket", into: &self.control.socket, .socketPath)
    control.read("mode", into: &self.control.mode, .mode)
    control.read("group", into: &self.control.group, .group)
    file.section("metrics", keys: Keys.metrics).read("listen", into: &metrics.listen, .listen)
    let state = file.section("state", keys: Keys.state)
    state.read("file", into: &self.state.file, .filePath)
    state.read(
      "interval", into: &self.state.intervalNanoseconds,
      .duration(1...86400, expected: "a duration from 1s to 1d, such as 60s or 5m"))
    let record = file.section("record", keys: Keys.record)
    record.read("active", into: &self.record.isActive, .onOrOff)
    record.read("content", into: &self.record.content, .word)
    record.read(
      "window", into: &self.record.windowNanoseconds,
      .duration(2...3600, expected: "a duration from 2s to 1h, such as 60s or 5m"))
    record.read(
      "memory", into: &self.record.memoryBytes,
      .size(3 << 20...4 << 30, expected: "a size from 3MiB to 4GiB, such as 96MiB"))
    file.read("guard", into: &kernelGuard, .onOrOff)
    file.section("log", keys: Keys.log).read("level", into: &log.level, .word)
  }
}

extension Draft.InterfaceDraft {
  init(_ section: Section) {
    name = section.required("name", .device)
    let written = section.required("address", .interfaceAddressOrMachine)
    address = written.flatMap { written in written.value.map { Located(value: $0, place: written.place) } }
    hasMachineAddress = written.map { $0.value == nil } ?? false
    let mac = section.value("mac", .macAddress)
    self.mac = mac?.value
    if hasMachineAddress, let mac {
      section.report.add(
        mac.place, found: "\(mac.value), where the address is the host's",
        expected: "no mac, as the kernel answers for its address with the device's own")
    }
    mtu = section.value("mtu", .number(68...65535))?.value
  }
}

extension Draft {
  mutating func readStatics(_ file: Section) {
    let example = "mappings such as { protocol: tcp, public: 192.0.2.1:8080, private: 192.168.1.10:80 }"
    let entries = file.list("static", of: example) ?? []
    if entries.count > Configuration.mostStatics {
      report.add(
        file.place(of: "static"), found: "\(entries.count) mappings",
        expected: "at most \(Configuration.mostStatics)")
      return
    }
    statics = entries.compactMap { StaticDraft($0, report: report) }
  }
}

// MARK: The parts of `nat`

extension Draft {
  /// The elements of a list, `nil` for those that are wrong.
  private func readNetworks(_ section: Section, _ key: String) -> [Located<IPv4Network>?]? {
    section.list(key, of: "networks such as [192.168.1.0/24, 10.9.0.0/24]")?.map { node in
      Form.network.read(node, report: report)
    }
  }

  private mutating func readInsideNetworks(_ section: Section) {
    let key = "inside-networks"
    guard let node = section.node(key) else { return }
    let networks = readNetworks(section, key)
    if let networks, networks.isEmpty {
      report.add(
        node.place, found: "an empty list",
        expected: "at least one network (without the key: the inside network and the routes)")
    }
    insideNetworks = networks?.compactMap { $0 } ?? []
    insideNetworksAreKnown = networks.map { !$0.isEmpty && !$0.contains { $0 == nil } } ?? false
  }

  private mutating func readPool(_ section: Section) {
    guard
      let nodes = section.list("pool", of: "addresses such as [{ address: 192.0.2.1, ports: 1024-65535 }]")
    else { return }
    pool = nodes.compactMap { node in
      let entry = Section(node.joiningPorts, at: node.place, keys: Keys.pool, report: report)
      let address = entry.required("address", .addressOrMachine)
      let hasPorts = entry.node("ports") != nil
      let ports = entry.value("ports", .portRanges)
      return address.map { address in
        PoolDraft(
          address: address,
          ports: hasPorts
            ? ports?.value : [address.value == .machine ? Configuration.machinePorts : 1024...65535],
          place: ports?.place ?? address.place)
      }
    }
  }

  private mutating func readFiltering(_ section: Section) {
    guard let node = section.node("filtering") else { return }
    switch node.content {
    case .scalar:
      if let all = Form<Configuration.Filtering>.word.read(node, report: report) {
        nat.filtering = Configuration.FilteringByProtocol(all: all.value)
      }
    case .list:
      report.add(
        node.place, found: node.found,
        expected: "\(Form<Configuration.Filtering>.word.expected), or a mapping by protocol")
    case .nothing, .mapping, .refused:
      let protocols = section.section("filtering", keys: Keys.filtering)
      protocols.read("udp", into: &nat.filtering.udp, .word)
      protocols.read("tcp", into: &nat.filtering.tcp, .word)
      protocols.read("icmp", into: &nat.filtering.icmp, .word)
    }
  }

  private mutating func readLifetimes(_ section: Section) {
    section.read("udp", into: &nat.lifetimes.udpNanoseconds, .lifetime)
    section.read("tcp-established", into: &nat.lifetimes.tcpEstablishedNanoseconds, .lifetime)
    section.read("tcp-transitory", into: &nat.lifetimes.tcpTransitoryNanoseconds, .lifetime)
    section.read("icmp", into: &nat.lifetimes.icmpNanoseconds, .lifetime)
    section.read("fragment", into: &nat.lifetimes.fragmentNanoseconds, .lifetime)
    guard let ports = section.node("ports") else { return }
    guard case .mapping(let entries) = ports.content else {
      if case .refused = ports.content { return }
      report.add(ports.place, found: ports.found, expected: "a mapping such as { udp/53: 120s }")
      return
    }
    nat.lifetimes.ports = entries.compactMap { entry in
      let key = Form.transportPort.read(entry.key, at: entry.place, report: report)
      let lifetime = Form.lifetime.read(entry.value, report: report)
      guard let key, let lifetime else { return nil }
      return Configuration.PortLifetime(key.value.0, key.value.1, nanoseconds: lifetime.value)
    }.sorted { ($0.transport.rawValue, $0.port) < ($1.transport.rawValue, $1.port) }
  }

  private mutating func readLimits(_ section: Section) {
    section.read("bindings", into: &nat.limits.bindings, .tableLimit)
    section.read("sessions", into: &nat.limits.sessions, .tableLimit)
    let perHost = section.section("per-host", keys: Keys.perHost)
    perHost.read("ports", into: &nat.limits.perHost.ports, .limit)
    perHost.read("sessions", into: &nat.limits.perHost.sessions, .limit)
    perHost.read("sessions-per-second", into: &nat.limits.perHost.sessionsPerSecond, .rate)
  }

  private mutating func readTCP(_ section: Section) {
    section.read("loose", into: &nat.tcp.loose, .onOrOff)
    section.read("window-tracking", into: &nat.tcp.windowTracking, .onOrOff)
    section.read("after-reset", into: &nat.tcp.afterReset, .word)
    section.read("mss-clamp", into: &nat.tcp.mssClamp, .mssClamp)
  }

  private mutating func readFragments(_ section: Section) {
    section.read("datagrams", into: &nat.fragments.datagrams, .number(1...1_048_576))
    section.read(
      "memory", into: &nat.fragments.memoryBytes,
      .size(64 << 10...512 << 20, expected: "a size from 64KiB to 512MiB, such as 8MiB"))
  }
}

extension Node {
  /// In `{ address: 192.0.2.1, ports: 1024-4999,5100-65535 }` YAML ends the value at the comma, and takes the
  /// second range for a key with nothing behind it. This puts such keys back behind the ports, and takes a
  /// list of ranges as well.
  fileprivate var joiningPorts: Node {
    guard case .mapping(var entries) = content, let index = entries.firstIndex(where: { $0.key == "ports" })
    else { return self }
    var ranges: [String]
    switch entries[index].value.content {
    case .scalar(let text): ranges = [text]
    case .list(let nodes):
      ranges = []
      for case .scalar(let text) in nodes.map(\.content) { ranges.append(text) }
      guard ranges.count == nodes.count else { return self }
    case .nothing, .mapping, .refused: return self
    }
    while index + 1 < entries.count, case .nothing = entries[index + 1].value.content,
      let first = entries[index + 1].key.first, first.isASCII, first.isNumber
    {
      ranges.append(entries.remove(at: index + 1).key)
    }
    let ports = entries[index]
    let value = Node(place: ports.value.place, content: .scalar(ranges.joined(separator: ",")))
    entries[index] = Entry(key: ports.key, place: ports.place, value: value)
    return Node(place: place, content: .mapping(entries))
  }
}
