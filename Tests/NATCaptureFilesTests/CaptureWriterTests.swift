import Foundation
import NATCaptureFiles
import NATWire
import Synchronization
import TestSupport
import Testing

@Suite("Writing captures")
struct CaptureWriterTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func bytes(of path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: path)))
  }

  @Test("the file, byte for byte: nanoseconds, Ethernet, the machine's byte order")
  func layout() throws {
    let path = folder.file("out")
    var writer = try CaptureWriter(path: path)
    try writer.append([1, 2, 3], at: 1_700_000_000_123_456_789)
    try writer.close()
    var expected = CaptureBytes.pcap(
      isBigEndian: 1.bigEndian == 1, magic: CaptureBytes.nanoseconds, snapLength: 262_144)
    expected.record(1_700_000_000, 123_456_789, [1, 2, 3])
    #expect(try bytes(of: path) == expected.bytes)
  }

  @Test("a file with nothing to write is a capture without records, and an old one is emptied")
  func empty() throws {
    let path = try folder.write([UInt8](repeating: 9, count: 1000), as: "out")
    try CaptureWriter(path: path).close()
    let (records, damage) = try readEverything(path)
    #expect(records.isEmpty)
    #expect(damage == nil)
    #expect(try bytes(of: path).count == 24)
  }

  @Test("what is written is read back, whole frames and frames built in place, across many buffers")
  func roundTrip() throws {
    let path = folder.file("out")
    let seed = UInt64.random(in: 0 ... .max)
    var random = Generator(seed: seed)
    var writer = try CaptureWriter(path: path)
    var expected: [CopiedRecord] = []
    let sizes = [0, 1, 14, 60, 1514, 65_549, CaptureWriter.longestFrame]
    for index in 0..<300 {
      let frame = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: sizes[Int(random.next() % 7)])
      let stamp = random.next() % 4_294_967_296_000_000_000
      expected.append(CopiedRecord(frame, stamp: stamp))
      if index % 2 == 0 {
        try writer.append(frame, at: stamp)
      } else {
        // Safety: filled up to what was reserved.
        let room = try unsafe writer.reserve(min(frame.count + 10, CaptureWriter.longestFrame))
        for (offset, byte) in frame.enumerated() {
          unsafe room.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        writer.commit(frame.count, at: Instant(nanoseconds: stamp))
      }
    }
    // A reservation that is not committed leaves no trace.
    // Safety: not used.
    _ = try unsafe writer.reserve(100)
    try writer.close()
    let (records, damage) = try readEverything(path)
    #expect(damage == nil)
    #expect(records == expected, "seed \(seed)")
  }

  @Test("a stamp that the format cannot hold is written as its last one")
  func lateStamp() throws {
    let path = folder.file("out")
    var writer = try CaptureWriter(path: path)
    for stamp in [4_294_967_295_999_999_999, 4_294_967_296_000_000_000, UInt64.max] {
      // Safety: nothing is copied.
      _ = try unsafe writer.reserve(0)
      writer.commit(0, at: Instant(nanoseconds: stamp))
    }
    try writer.close()
    let last: UInt64 = 4_294_967_295_999_999_999
    #expect(try readEverything(path).records.map(\.stamp) == [last, last, last])
  }

  @Test("a full disk is told at the latest by close")
  func fullDisk() throws {
    let fault = faultOfWriting("/dev/full")
    #expect(fault?.operation == .write)
    #expect(fault?.path == "/dev/full")
    #expect(fault?.code == ENOSPC)
    #expect(fault?.description == "/dev/full: cannot write the capture: No space left on device")
  }

  @Test("a disk that fills on the way: the short write is continued, then told", .enabled(if: geteuid() == 0))
  func smallDisk() throws {
    let mountPoint = folder.file("disk")
    try FileManager.default.createDirectory(atPath: mountPoint, withIntermediateDirectories: false)
    // Safety: the strings live through the call.
    try #require(unsafe mount("tmpfs", mountPoint, "tmpfs", 0, "size=2560k") == 0)
    defer {
      // Safety: the path is not kept.
      unsafe umount2(mountPoint, 0)
    }
    var writer = try CaptureWriter(path: "\(mountPoint)/out")
    var fault: CaptureWriteFault?
    var appended = 0
    let frame = [UInt8](repeating: 5, count: 60_000)
    while fault == nil, appended < 100 {
      do throws(CaptureWriteFault) {
        try writer.append(frame, at: 0)
        appended += 1
      } catch { fault = error }
    }
    #expect(fault?.code == ENOSPC)
    #expect(try bytes(of: "\(mountPoint)/out").count == 2560 * 1024)
    _ = consume writer
  }

  @Test("signals and short writes lose and repeat nothing")
  func interrupted() throws {
    let path = folder.file("fifo")
    // Safety: the path is not kept.
    try #require(unsafe mkfifo(path, 0o600) == 0)
    // A handler without SA_RESTART, so that a blocked write returns early.
    var action = sigaction()
    // Safety: the handler touches nothing.
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    // Safety: the structure is ours.
    try #require(unsafe sigaction(SIGUSR1, &action, nil) == 0)
    // The threads that tests run on block all signals.
    var signals = sigset_t()
    var former = sigset_t()
    // Safety: the sets are ours.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGUSR1)
    try #require(unsafe pthread_sigmask(SIG_UNBLOCK, &signals, &former) == 0)
    defer {
      // Safety: the set was filled above.
      unsafe pthread_sigmask(SIG_SETMASK, &former, nil)
    }
    let frames = 200
    let frame = [UInt8](repeating: 3, count: 50_000)
    let writerThread = pthread_self()
    let received = Mutex<[UInt8]>([])
    let isDone = Atomic(false)
    let reader = Thread {
      // Safety: the path is not kept.
      let descriptor = unsafe open(path, O_RDONLY)
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 7001)
      while true {
        if !isDone.load(ordering: .acquiring) { pthread_kill(writerThread, SIGUSR1) }
        // Safety: the chunk has the room.
        let count = unsafe read(descriptor, &chunk, chunk.count)
        if count <= 0 { break }
        bytes += chunk.prefix(count)
      }
      close(descriptor)
      received.withLock { $0 = bytes }
    }
    reader.start()
    var writer = try CaptureWriter(path: path)
    for _ in 0..<frames {
      try writer.append(frame, at: 1)
    }
    try writer.flush()
    isDone.store(true, ordering: .releasing)
    try writer.close()
    while !reader.isFinished { sched_yield() }
    var expected = CaptureBytes.pcap(
      isBigEndian: 1.bigEndian == 1, magic: CaptureBytes.nanoseconds, snapLength: 262_144)
    for _ in 0..<frames { expected.record(0, 1, frame) }
    #expect(received.withLock { $0 == expected.bytes })
  }

  @Test("what cannot be created is named")
  func create() {
    let missing = folder.file("missing/out")
    let fault = faultOfWriting(missing)
    #expect(fault?.description == "\(missing): cannot create the capture: No such file or directory")
    let directory = faultOfWriting(folder.path)
    #expect(directory?.code == EISDIR)
  }

  @Test("without close, what was gathered is written all the same")
  func abandoned() throws {
    let path = folder.file("out")
    do {
      var writer = try CaptureWriter(path: path)
      // Safety: nothing is copied.
      _ = try unsafe writer.reserve(0)
      writer.commit(0, at: Instant(nanoseconds: 7))
    }
    #expect(try readEverything(path).records == [CopiedRecord([], stamp: 7)])
  }

  @Test("an output that is an input is recognized through links and other spellings")
  func sameFile() throws {
    let input = try folder.write([1], as: "in")
    try FileManager.default.linkItem(atPath: input, toPath: folder.file("hard"))
    try FileManager.default.createSymbolicLink(atPath: folder.file("soft"), withDestinationPath: "in")
    for output in [input, "\(folder.path)/./in", folder.file("hard"), folder.file("soft")] {
      #expect(FileIdentity.wouldOverwrite(input: input, output: output), "\(output)")
    }
    _ = try folder.write([1], as: "other")
    for output in [folder.file("other"), folder.file("missing"), "/dev/null", folder.path] {
      #expect(!FileIdentity.wouldOverwrite(input: input, output: output), "\(output)")
    }
    #expect(!FileIdentity.wouldOverwrite(input: "/dev/null", output: "/dev/null"))
    #expect(FileIdentity(output: input) != nil)
    #expect(FileIdentity(output: input) == FileIdentity(output: folder.file("hard")))
  }

  /// What writing a capture without records complains about.
  private func faultOfWriting(_ path: String) -> CaptureWriteFault? {
    do {
      try CaptureWriter(path: path).close()
      return nil
    } catch { return error }
  }
}
