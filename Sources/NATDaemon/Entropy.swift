import NATMemory
import NATTable

extension RandomSource {
  /// The source of a live gateway, with a key from the kernel that nobody else knows.
  static func secret() -> RandomSource {
    var kernel = SystemRandomNumberGenerator()
    return RandomSource(key: (kernel.next(), kernel.next()))
  }
}
