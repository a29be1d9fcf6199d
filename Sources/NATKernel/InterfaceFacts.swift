internal import CLinuxPacket
internal import Glibc
public import NATWire

/// What the kernel reports about an interface at this moment.
public struct InterfaceFacts: Equatable, Sendable {
  /// One of the kernel's own addresses on the interface.
  public struct Address: Equatable, Sendable {
    public var address: IPv4Address
    public var network: IPv4Network
  }

  /// The kernel's name for it, even if the caller used an alternative name.
  public let name: String
  public let index: Int32
  public let mac: MACAddress
  /// Largest IPv4 packet in bytes.
  public let mtu: Int
  /// Whether it is administratively up.
  public let isUp: Bool
  /// Whether it has a carrier. False if it is down.
  public let hasCarrier: Bool
  /// The kernel's addresses on it, in the kernel's order.
  public let addresses: [Address]
  public let offloads: Offloads

  /// Asks the kernel about an Ethernet interface in the network namespace of the calling thread.
  /// - Complexity: a dozen system calls.
  public init(name given: String) throws(InterfaceFault) {
    let request = try InterfaceRequest(name: given)
    index = try request.ask(SIOCGIFINDEX, "SIOCGIFINDEX").read(Int32.self)
    name = try request.canonicalName(of: index)
    let hardware = try request.ask(SIOCGIFHWADDR, "SIOCGIFHWADDR")
    let family = hardware.read(UInt16.self)
    // The loopback interface frames its packets like Ethernet.
    guard [UInt16(ARPHRD_ETHER), UInt16(ARPHRD_LOOPBACK)].contains(family) else {
      throw InterfaceFault(.notEthernet, given, "hardware type \(family); expected Ethernet (1)")
    }
    mac = MACAddress(UInt64(bigEndian: hardware.read(UInt64.self, at: 2)) >> 16)
    mtu = Int(try request.ask(SIOCGIFMTU, "SIOCGIFMTU").read(Int32.self))
    let flags = Int(try request.ask(SIOCGIFFLAGS, "SIOCGIFFLAGS").read(UInt16.self))
    isUp = flags & IFF_UP != 0
    hasCarrier = isUp && flags & IFF_RUNNING != 0
    let own = name
    addresses = InterfaceFacts.kernelAddresses().filter { $0.interface == own }.map(\.address)
    offloads = Offloads(request)
  }
}

/// The offloads of an interface, as `ethtool -k` lists them.
public struct Offloads: Equatable, Sendable {
  /// The device computes checksums of outgoing packets (`tx`).
  public let transmitChecksum: Bool
  /// The device verifies checksums of incoming packets (`rx`).
  public let receiveChecksum: Bool
  /// The device cuts outgoing joined TCP packets (`tso`).
  public let tcpSegmentation: Bool
  /// The kernel cuts joined packets just before the driver (`gso`).
  public let genericSegmentation: Bool
  /// The kernel (`gro`) or the device (`lro`) joins incoming segments.
  public let genericReceive: Bool
  public let largeReceive: Bool

  init(_ request: borrowing InterfaceRequest) {
    transmitChecksum = request.ethtool(ETHTOOL_GTXCSUM) == 1
    receiveChecksum = request.ethtool(ETHTOOL_GRXCSUM) == 1
    tcpSegmentation = request.ethtool(ETHTOOL_GTSO) == 1
    genericSegmentation = request.ethtool(ETHTOOL_GGSO) == 1
    genericReceive = request.ethtool(ETHTOOL_GGRO) == 1
    largeReceive = (request.ethtool(ETHTOOL_GFLAGS) ?? 0) & ETH_FLAG_LRO.rawValue != 0
  }
}

/// A socket for requests about one interface.
struct InterfaceRequest: ~Copyable {
  private let descriptor: Int32
  private let name: String

  /// IFNAMSIZ: 15 bytes and a zero.
  private static let nameSize = 16

  init(name: String) throws(InterfaceFault) {
    // No interface has a longer name, and a shortened name could be another interface's.
    guard !name.isEmpty, name.utf8.count < InterfaceRequest.nameSize, !name.utf8.contains(0) else {
      throw InterfaceFault(
        .missing, name, "not there; names have 1 to \(InterfaceRequest.nameSize - 1) bytes")
    }
    let opened = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard opened >= 0 else { throw InterfaceFault(code: errno, name, "socket") }
    self.name = name
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// `struct ifreq`: a name, and a value that depends on the request.
  struct Data: BitwiseCopyable {
    var name: (UInt64, UInt64) = (0, 0)
    var value: (UInt64, UInt64, UInt64) = (0, 0, 0)

    func read<Value: BitwiseCopyable>(_: Value.Type, at offset: Int = 0) -> Value {
      // Safety: the access is checked against the size.
      unsafe withUnsafeBytes(of: value) { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    }
  }

  /// Makes a SIOCGIF call.
  func ask(_ request: Int32, _ call: String) throws(InterfaceFault) -> Data {
    var data = named()
    // Safety: these calls read and write an `ifreq`, which has this size.
    guard unsafe ioctl(descriptor, UInt(request), &data) == 0 else {
      throw InterfaceFault(code: errno, name, call)
    }
    return data
  }

  /// The kernel's name of an interface.
  func canonicalName(of index: Int32) throws(InterfaceFault) -> String {
    var text = [CChar](repeating: 0, count: InterfaceRequest.nameSize)
    // Safety: the array has the size that the call asks for.
    guard unsafe if_indextoname(UInt32(index), &text) != nil else {
      throw InterfaceFault(code: errno, name, "if_indextoname")
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Makes an ethtool call that answers with a number; nil if the driver does not support it.
  func ethtool(_ command: Int32) -> UInt32? {
    var value = ethtool_value(cmd: UInt32(command), data: 0)
    var data = named()
    // Safety: the request points at the value during the call only.
    let result = unsafe withUnsafeMutablePointer(to: &value) { pointer in
      data.value.0 = UInt64(UInt(bitPattern: pointer))
      return unsafe ioctl(descriptor, UInt(SIOCETHTOOL), &data)
    }
    return result == 0 ? value.data : nil
  }

  private func named() -> Data {
    var data = Data()
    // Safety: the name is shorter than the field, which is zero.
    unsafe withUnsafeMutableBytes(of: &data.name) { unsafe $0.copyBytes(from: name.utf8) }
    return data
  }
}

extension InterfaceFacts {
  /// The kernel's IPv4 addresses and their interfaces, in the network namespace of the calling thread.
  public static func kernelAddresses() -> [(interface: String, address: Address)] {
    var list: UnsafeMutablePointer<ifaddrs>? = nil
    // Safety: the list is freed below, once.
    guard unsafe getifaddrs(&list) == 0 else { return [] }
    defer { unsafe freeifaddrs(list) }
    var found: [(interface: String, address: Address)] = []
    var next = unsafe list
    while let entry = unsafe next {
      unsafe next = entry.pointee.ifa_next
      // Safety: the entries live until the list is freed; an AF_INET address is a `sockaddr_in`.
      guard let address = unsafe entry.pointee.ifa_addr, let mask = unsafe entry.pointee.ifa_netmask,
        unsafe Int32(address.pointee.sa_family) == AF_INET
      else { continue }
      let value = unsafe internetAddress(address)
      let prefixLength = unsafe internetAddress(mask).rawValue.nonzeroBitCount
      // Safety: the name ends with a zero.
      let name = unsafe String(cString: entry.pointee.ifa_name)
      found.append((name, Address(address: value, network: IPv4Network(value, prefixLength: prefixLength))))
    }
    return found
  }
}

@unsafe private func internetAddress(_ address: UnsafeMutablePointer<sockaddr>) -> IPv4Address {
  // Safety: the caller has checked the family.
  unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
    unsafe IPv4Address(UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
  }
}
