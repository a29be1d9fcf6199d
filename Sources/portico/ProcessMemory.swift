import Foundation
import Glibc

/// Memory of this process.
enum ProcessMemory {
  /// Resident bytes from `/proc/self/statm`; 0 if that file is missing.
  static var residentBytes: Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
  }
}
