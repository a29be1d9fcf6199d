// NATKernel: what Portico asks the kernel of the machine, and tells it.
//
// - `InterfaceFacts` describes one interface: index, MAC address, MTU, state, offloads.
// - `MachineFacts` has the addresses and default routes; `MachineWatch` reads and watches them (rtnetlink).
// - `MachineSockets` lists the ports of the machine's own sockets (sock_diag).
// - `KernelRules` keep the kernel from answering and forwarding what Portico handles (nftables).
// - `ReservedPorts` keeps the kernel from choosing the gateway's ports for its own sockets.
// - `InterfaceLock` makes a process the only gateway on an interface.
//
// All calls act in the network namespace of the calling thread. Failures are an `InterfaceFault`, which says
// what was found and what was expected.
//
// Print an interface and its next hop:
//
// ```swift
// let facts = try InterfaceFacts(name: name)
// print("\(facts.name): \(facts.mac), MTU \(facts.mtu)")
// if let route = try MachineWatch.facts().route(by: facts.index) {
//   print("next hop \(route.gateway)")
// }
// ```
