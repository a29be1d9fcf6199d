@testable import ReferenceNAT

// The module's name is that of a type in it, so that `ReferenceNAT.Packet` cannot be written.
typealias ExpectedPacket = Packet
typealias ExpectedARP = ARPPacket
