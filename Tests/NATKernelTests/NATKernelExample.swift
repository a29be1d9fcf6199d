import NATKernel
import Testing

/// The example of the module's opening page, which ModuleExampleTests compares with it.
@Suite struct NATKernelExample {
  @Test("the example of NATKernel describes the loopback interface")
  func example() throws {
    let name = "lo"
    let facts = try InterfaceFacts(name: name)
    print("\(facts.name): \(facts.mac), MTU \(facts.mtu)")
    if let route = try MachineWatch.facts().route(by: facts.index) {
      print("next hop \(route.gateway)")
    }
    #expect(facts.index > 0)
  }
}
