import Foundation
import Glibc
import NATControl

extension Paint {
  /// Colours where standard output is a terminal, unless NO_COLOR (https://no-color.org) is set.
  static var standardOutput: Paint {
    let environment = ProcessInfo.processInfo.environment
    let isRefused = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
    return isatty(STDOUT_FILENO) == 1 && !isRefused ? .colours : .plain
  }
}
