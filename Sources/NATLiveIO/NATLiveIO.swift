// NATLiveIO: frames from and to Ethernet interfaces.
//
// - `LiveCapture` passes the frames that arrive to a `FrameReceiver`, through libpcap. `CaptureOptions`
//   chooses between low latency and blocks.
// - `Transmitter` sends frames in batches through AF_PACKET sockets. The kernel or the device finishes
//   partial checksums and cuts joined packets; the transmitter decides from the `FrameFacts` of a frame and
//   parses nothing.
// - `AddressProbe` asks by ARP which stations have an address.
//
// The module knows neither table nor gateway. `NATDaemon` joins them.
//
// Send back every frame that arrives on an interface:
//
// ```swift
// struct Reflector: ~Copyable, FrameReceiver {
//   var transmitter: Transmitter
//
//   mutating func receive(_ frame: Frame, wireLength: Int) {
//     let destination = frame.macAddress(at: Ethernet.destinationOffset)
//     let source = frame.macAddress(at: Ethernet.sourceOffset)
//     frame.setEthernet(destination: source, source: destination, type: frame.uint16(at: Ethernet.typeOffset))
//     var packet = Packet(frame: frame)
//     guard case .ipv4 = Packet.decode(frame, link: .ethernet, wireLength: wireLength, into: &packet) else { return }
//     transmitter.add(packet.frame, packet.facts)
//     transmitter.flush()
//   }
// }
// var capture = try LiveCapture(interface: name)
// var reflector = Reflector(transmitter: try Transmitter(InterfaceFacts(name: name)))
// while true {
//   if try capture.receive(into: &reflector, limit: 64) == 0 { usleep(1000) }
// }
// ```
