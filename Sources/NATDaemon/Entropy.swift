import NATMemory
import NATTable

extension RandomSource {
  /// The random numbers of a live gateway, with a secret key from the kernel.
  static func secret() -> RandomSource {
    var kernel = SystemRandomNumberGenerator()
    return RandomSource(key: (kernel.next(), kernel.next()))
  }
}
