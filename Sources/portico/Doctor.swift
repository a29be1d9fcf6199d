import Foundation
import NATComposition
import NATConfiguration
import NATKernel
import NATLiveIO
import NATWire

/// Checks whether the machine suits a configuration, in the network namespace of the calling thread.
struct Doctor {
  struct Finding {
    enum Verdict: String {
      case good = "ok"
      /// The gateway works, but this is worth knowing.
      case note
      case wrong
    }

    var verdict: Verdict
    var text: String
    /// The command that mends it, or advice if there is none.
    var mend: String?
  }

  /// The configuration, with the machine's addresses filled in.
  private var configuration: Configuration
  private var findings: [Finding] = []
  /// Whether the daemon installs kernel rules: the setting `guard`.
  private var hasRules: Bool { configuration.kernelGuard }

  /// How many addresses are probed. More would take seconds.
  private static let mostProbed = 64

  init(_ configuration: Configuration) { self.configuration = configuration }

  mutating func examine() -> [Finding] {
    for warning in configuration.warnings { note(warning) }
    examineMachine()
    let inside = configuration.interfaces.inside
    let shared = configuration.sharedAddress
    examine("inside", inside, owning: inside.hasMachineAddress ? [] : [inside.address], hop: nil)
    examine(
      "outside", configuration.interfaces.outside,
      owning: configuration.publicAddresses.filter { $0 != shared }, hop: configuration.interfaces.gateway)
    examineAddresses()
    return findings
  }

  /// Checks the machine's addresses where the configuration says `address: host`.
  private mutating func examineMachine() {
    guard configuration.followsMachine else { return }
    do {
      let resolved = configuration.resolved(try Configuration.Machine(addressesFor: configuration))
      configuration = resolved.configuration
      for reason in resolved.degraded {
        wrong(reason, mend: "ip address; ip route   # or see to the DHCP client")
      }
      for (side, interface) in [
        ("inside", configuration.interfaces.inside), ("outside", configuration.interfaces.outside),
      ] where interface.hasMachineAddress && interface.address != .machine {
        good("\(side) \(interface.name): shares \(interface.address) with the kernel")
      }
    } catch {
      wrong("cannot read the kernel's addresses: \(error)", mend: nil)
    }
  }

  private mutating func good(_ text: String) { findings.append(Finding(verdict: .good, text: text)) }

  private mutating func note(_ text: String, mend: String? = nil) {
    findings.append(Finding(verdict: .note, text: text, mend: mend))
  }

  private mutating func wrong(_ text: String, mend: String?) {
    findings.append(Finding(verdict: .wrong, text: text, mend: mend))
  }

  private mutating func wrong(_ side: String, _ fault: InterfaceFault) {
    let mend: String? =
      switch fault.kind {
      case .missing: "ip link   # lists what there is; put the right name at interfaces.\(side).name"
      case .down: "ip link set \(fault.name) up"
      case .notPermitted: "run it as root, or with CAP_NET_RAW and CAP_NET_ADMIN"
      case .notEthernet: "put an Ethernet interface at interfaces.\(side).name"
      case .inUse, .refused: nil
      }
    wrong("\(side) \(fault.description)", mend: mend)
  }

  private mutating func examine(
    _ side: String, _ configured: Configuration.Interface, owning: [IPv4Address], hop: IPv4Address?
  ) {
    do throws(InterfaceFault) {
      let facts = try InterfaceFacts(name: configured.name)
      let name = "\(side) \(facts.name)"
      guard examineLink(name, configured, facts) else { return }
      examineOffloads(name, facts)
      examineForwarding(name, facts)
      try examineRules(name, side, facts)
      try probe(name, facts, owning: owning, hop: hop)
    } catch {
      wrong(side, error)
    }
  }

  /// - Returns: whether packets can pass the interface.
  private mutating func examineLink(
    _ name: String, _ configured: Configuration.Interface, _ facts: InterfaceFacts
  ) -> Bool {
    if let mtu = configured.mtu, mtu > facts.mtu {
      wrong(
        "\(name): the configuration says MTU \(mtu), the device has \(facts.mtu)",
        mend: "ip link set \(facts.name) mtu \(mtu)")
    }
    guard facts.isUp else {
      wrong("\(name): is down", mend: "ip link set \(facts.name) up")
      return false
    }
    guard facts.hasCarrier else {
      wrong(
        "\(name): up, but no carrier: nothing at the other end",
        mend: "check the cable, and the device at its other end")
      return false
    }
    good("\(name): up, MTU \(facts.mtu), MAC \(facts.mac)")
    return true
  }

  /// Only LRO is a problem: the frames themselves show all other offloads.
  private mutating func examineOffloads(_ name: String, _ facts: InterfaceFacts) {
    if facts.offloads.largeReceive {
      wrong(
        "\(name): the device joins TCP segments (LRO); joined ones cannot be forwarded unchanged",
        mend: "ethtool -K \(facts.name) lro off")
    } else {
      good("\(name): offloads are fine (LRO is off)")
    }
    if !facts.offloads.tcpSegmentation {
      note(
        "\(name): the device does not segment TCP packets (TSO is off); the kernel does it, more slowly",
        mend: "ethtool -K \(facts.name) tso on   # where the device can")
    }
  }

  private mutating func examineForwarding(_ name: String, _ facts: InterfaceFacts) {
    let setting = "net/ipv4/conf/\(facts.name)/forwarding"
    let value = (try? String(contentsOfFile: "/proc/sys/\(setting)", encoding: .utf8)) ?? ""
    if !value.hasPrefix("1") {
      good("\(name): the kernel does not forward")
    } else if hasRules {
      note("\(name): the kernel forwards too; the kernel rules of the gateway keep it from doing so")
    } else {
      wrong(
        "\(name): the kernel forwards too, and every packet leaves twice (no kernel rules, `guard: off`)",
        mend: "sysctl -w \(setting)=0")
    }
  }

  /// The kernel rules keep the kernel from answering and forwarding what the gateway handles.
  private mutating func examineRules(
    _ name: String, _ side: String, _ facts: InterfaceFacts
  ) throws(InterfaceFault) {
    var holder: InterfaceFault?
    do {
      _ = try InterfaceLock(interface: facts.name)
    } catch {
      guard error.kind == .inUse else { throw error }
      holder = error
    }
    guard hasRules else {
      return note("\(name): no kernel rules (`guard: off`): the kernel answers for all addresses that it has")
    }
    if let holder {
      if KernelRules.isInstalled(interface: facts.name) {
        good("\(name): a gateway runs, and its kernel rules are in place")
      } else {
        wrong(
          "\(name): a gateway runs without kernel rules (\(holder.description))",
          mend: "start it again with `guard: on`")
      }
      return
    }
    do {
      try KernelRules.check(interface: facts.name, KernelRules.Scope(configuration))
      good("\(name): no gateway runs on it, and its kernel rules can be installed")
    } catch {
      wrong(
        "\(side) \(error.description)",
        mend: error.kind == .notPermitted
          ? "run it as root, or with CAP_NET_ADMIN" : "modprobe nf_tables   # or say `guard: off`")
    }
  }

  /// Asks the network by ARP.
  private mutating func probe(
    _ name: String, _ facts: InterfaceFacts, owning: [IPv4Address], hop: IPv4Address?
  ) throws(InterfaceFault) {
    var probe = try AddressProbe(facts)
    let asked = Array(owning.prefix(Doctor.mostProbed))
    let owners = try probe.owners(of: asked + (hop.map { [$0] } ?? []))
    for address in asked {
      guard let owner = owners[address] else { continue }
      wrong(
        "\(name): \(address) is another's: \(owner) answers for it",
        mend: "take it from that machine, or give the gateway another address")
    }
    if !asked.isEmpty, !asked.contains(where: { owners[$0] != nil }) {
      good(
        "\(name): nobody else answers for \(asked.count == 1 ? "\(asked[0])" : "its \(asked.count) addresses")"
      )
    }
    if owning.count > asked.count {
      note("\(name): \(owning.count - asked.count) further addresses were not probed")
    }
    guard let hop else { return }
    if let mac = owners[hop] {
      good("\(name): the next hop \(hop) answers (\(mac))")
    } else {
      wrong(
        "\(name): the next hop \(hop) does not answer ARP",
        mend: "correct interfaces.outside.gateway, or find out why it is silent")
    }
  }

  /// Finds the gateway's addresses that the kernel takes for its own. It answers for them on all interfaces.
  private mutating func examineAddresses() {
    let own = configuration.ownAddresses
    let kernel = InterfaceFacts.kernelAddresses().filter { own.contains($0.address.address) }
    for (interface, address) in kernel {
      examine(
        "\(interface): the kernel has the gateway's address \(address.address) as its own",
        mend: "ip address del \(address.address)/\(address.network.prefixLength) dev \(interface)")
    }
    let listed = Set(kernel.map(\.address.address))
    // A local route makes the kernel answer, too, and no list of addresses shows it.
    let others = MachineWatch.local(among: own.filter { !listed.contains($0) })
    for address in others {
      examine(
        "no interface has the gateway's address \(address), but the kernel takes it for its own",
        mend: "ip route show table local   # and delete the route that makes it local")
    }
    if kernel.isEmpty, others.isEmpty { good("the kernel answers for none of the gateway's addresses") }
  }

  private mutating func examine(_ text: String, mend: String) {
    if hasRules {
      note(
        "\(text); the kernel rules of the gateway keep it from answering, and this machine cannot use the address",
        mend: mend)
    } else {
      wrong(
        "\(text), and answers and resets connections (no kernel rules, `guard: off`)", mend: mend)
    }
  }
}
