import Glibc
import NATKernel
import NATLiveIO
import NATWire
import Testing

/// The example of the module's opening page, which ModuleExampleTests compares with it.
@Suite struct NATLiveIOExample {
  /// Compiled only: it needs CAP_NET_RAW.
  func example(_ name: String) throws -> Never {
    struct Reflector: ~Copyable, FrameReceiver {
      var transmitter: Transmitter

      mutating func receive(_ frame: Frame, wireLength: Int) {
        let destination = frame.macAddress(at: Ethernet.destinationOffset)
        let source = frame.macAddress(at: Ethernet.sourceOffset)
        frame.setEthernet(
          destination: source, source: destination, type: frame.uint16(at: Ethernet.typeOffset))
        var packet = Packet(frame: frame)
        guard case .ipv4 = Packet.decode(frame, link: .ethernet, wireLength: wireLength, into: &packet) else {
          return
        }
        transmitter.add(packet.frame, packet.facts)
        transmitter.flush()
      }
    }
    var capture = try LiveCapture(interface: name)
    var reflector = Reflector(transmitter: try Transmitter(InterfaceFacts(name: name)))
    while true {
      if try capture.receive(into: &reflector, limit: 64) == 0 { usleep(1000) }
    }
  }
}
