import NATMemory
import Testing

@testable import NATTable

/// SipHash-2-4 (Aumasson and Bernstein) in counter mode.
@Suite struct RandomSourceTests {
  @Test("the published vector of SipHash-2-4 for the message 00 01 .. 07 under the key 00 01 .. 0f")
  func publishedVector() {
    var random = RandomSource(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
    // A number is made from the counter after it was raised, written in little-endian order.
    random.counter = 0x0706_0504_0302_0100 - 1
    #expect(random.next() == 0x93F5_F579_9A93_2462)
  }

  /// Computed with another implementation, in Python, that also gives the published vector of 15 bytes.
  @Test(
    "the first three numbers of a seed",
    arguments: [
      (0, [0xD6BB_A39A_9B8B_8569, 0xE666_6A99_4875_5AEB, 0x07D7_8E74_EE39_EB8B]),
      (1, [0x6B57_F92B_76CF_B285, 0x8841_E1C0_D68B_9685, 0xCA29_122C_E924_ED79]),
      (42, [0xCF6C_3868_BC73_24DF, 0x4088_6AA4_4467_67D6, 0xBA9B_5A5E_5BBE_6514]),
      (.max, [0x8508_6E52_378A_A115, 0x4025_A8D3_33A2_F6D9, 0xA131_5321_3F29_E21C]),
    ] as [(UInt64, [UInt64])])
  func knownNumbers(seed: UInt64, expected: [UInt64]) {
    var random = RandomSource(seed: seed)
    #expect((0..<3).map { _ in random.next() } == expected)
  }

  @Test("numbers below a bound stay below it, and each value comes", arguments: [1, 2, 3, 7, 64, 1024])
  func bounds(bound: Int) {
    var random = RandomSource(seed: 7)
    var seen = [Int](repeating: 0, count: bound)
    for _ in 0..<bound * 100 { seen[random.next(below: bound)] += 1 }
    // 100 are expected of each; a Poisson variable leaves 40...190 less than once in 10^9.
    #expect(seen.allSatisfy { bound == 1 || (40...190).contains($0) }, "\(seen)")
  }
}
