import Glibc

/// Memory of this process.
enum ProcessMemory {
  /// Resident bytes from `/proc/self/statm`; 0 if that file is missing.
  static var residentBytes: Int {
    // Safety: the stream is closed below; the paths are constants.
    guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
    var line = [CChar](repeating: 0, count: 128)
    // Safety: the buffer holds 128 bytes.
    unsafe _ = fgets(&line, 128, file)
    unsafe fclose(file)
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
  }
}
