internal import Glibc
internal import NATSystem

/// Why an interface cannot be used. `description` names the interface, what was found and what was expected.
public struct InterfaceFault: Error, Equatable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// There is no such interface, or it has vanished. It may return under the same name.
    case missing
    /// The interface is down. It may come up.
    case down
    /// The process lacks CAP_NET_RAW or CAP_NET_ADMIN.
    case notPermitted
    /// It is not an Ethernet interface.
    case notEthernet
    /// Another gateway uses it.
    case inUse
    /// The kernel refuses for another reason.
    case refused
  }

  public let kind: Kind
  /// The interface, as the caller names it.
  public let name: String
  public let description: String

  package init(_ kind: Kind, _ name: String, _ text: String) {
    self.kind = kind
    self.name = name
    description = "interface \(name): \(text)"
  }

  /// The fault for the error number of a system call.
  package init(code: Int32, _ name: String, _ call: String) {
    switch code {
    case ENODEV, ENXIO:
      self.init(.missing, name, "not there; `ip link` lists what there is")
    case ENETDOWN:
      self.init(.down, name, "down; `ip link set \(name) up` sets it up")
    case EPERM, EACCES:
      self.init(
        .notPermitted, name,
        "\(call): \(errorText(code)); expected the capabilities CAP_NET_RAW and CAP_NET_ADMIN, or root")
    default: self.init(.refused, name, "\(call): \(errorText(code))")
    }
  }
}
