import Glibc
import NATKernel
import NATWire

/// `LabHolder guard INTERFACE ADDRESS...` and `LabHolder lock INTERFACE` hold what they are told, say `held`
/// or why not, and sleep until they are killed.
@main struct LabHolder {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 2 else { exit(64) }
    do throws(InterfaceFault) {
      switch arguments[0] {
      case "guard":
        try hold(
          KernelRules(
            interface: arguments[1], .init(arguments.dropFirst(2).compactMap { IPv4Address($0) })))
      case "lock": try hold(InterfaceLock(interface: arguments[1]))
      default: exit(64)
      }
    } catch {
      print(error.description)
      exit(1)
    }
  }

  private static func hold<Value: ~Copyable>(_ value: consuming Value) {
    print("held")
    fflush(nil)
    while true { pause() }
  }
}
