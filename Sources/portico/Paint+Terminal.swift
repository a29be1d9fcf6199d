import Foundation
import Glibc
import NATControl

extension Paint {
  /// Colours if standard output is a terminal and NO_COLOR (https://no-color.org) is not set.
  static var standardOutput: Paint {
    let environment = ProcessInfo.processInfo.environment
    let isRefused = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
    return isatty(STDOUT_FILENO) == 1 && !isRefused ? .colours : .plain
  }
}
