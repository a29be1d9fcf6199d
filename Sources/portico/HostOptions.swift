import ArgumentParser
import NATConfiguration
import NATWire

/// Options that replace `address: host` where there is no kernel to ask.
struct HostOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The inside address, if the configuration says `address: host`.", valueName: "address/length"))
  var insideAddress: String?

  @Option(
    help: ArgumentHelp(
      "The outside address, if the configuration says `address: host`.", valueName: "address/length"))
  var outsideAddress: String?

  @Option(
    help: ArgumentHelp("With --outside-address: the next hop of the default route.", valueName: "address"))
  var outsideGateway: String?

  /// The configuration with these addresses filled in.
  func resolve(_ configuration: Configuration) throws -> Configuration {
    var host = Configuration.Machine()
    host.inside = try address(
      insideAddress, "inside", configuration.interfaces.inside, such: "192.168.1.1/24")
    host.outside = try address(
      outsideAddress, "outside", configuration.interfaces.outside, such: "203.0.113.5/24")
    if let outsideGateway {
      guard let gateway = IPv4Address(outsideGateway) else {
        throw usage(
          "--outside-gateway: found \"\(outsideGateway)\"; expected an address such as 203.0.113.1")
      }
      guard host.outside != nil else {
        throw usage(
          "--outside-gateway: found it without --outside-address; expected interfaces.outside.gateway in the file"
        )
      }
      host.outside?.gateway = gateway
    }
    let resolved = configuration.resolved(host)
    for reason in resolved.degraded { Failure.say(reason) }
    return resolved.configuration
  }

  private func address(
    _ text: String?, _ side: String, _ interface: Configuration.Interface, such example: String
  ) throws -> Configuration.MachineAddress? {
    switch (text, interface.hasMachineAddress) {
    case (nil, false): return nil
    case (nil, true):
      throw usage(
        "interfaces.\(side).address: found host, and no kernel is asked here; expected --\(side)-address, such as "
          + example)
    case (.some, false):
      throw usage(
        "--\(side)-address: found it with interfaces.\(side).address \(interface.address); expected it with host only"
      )
    case (.some(let text), true):
      guard let network = IPv4Network(text), text.contains("/"), network.prefixLength > 0,
        let address = IPv4Address(text.prefix { $0 != "/" })
      else {
        throw usage(
          "--\(side)-address: found \"\(text)\"; expected an address with its prefix length such as \(example)"
        )
      }
      return Configuration.MachineAddress(address, prefixLength: Int(network.prefixLength))
    }
  }

  private func usage(_ message: String) -> ExitCode { Failure.exit(Failure.usage, message) }
}
