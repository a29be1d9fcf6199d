import NATWire
import TestSupport

typealias Dice = Generator
typealias Draft = PacketBuilder

/// Reads an address.
func address(_ bytes: [UInt8], _ offset: Int) -> IPv4Address { IPv4Address(doubleWord(bytes, offset)) }
