import Foundation
import Glibc
import Logging
import NATControl
import NATWire
import TestSupport
import Testing

@testable import NATDaemon

/// A service manager that the test plays, and the daemon's end of it.
@Suite struct ServiceManagerTests {
  private static func path() -> String {
    FileManager.default.temporaryDirectory.appending(path: "portico-\(UUID().uuidString)").path
  }

  @Test("a message reaches the service manager whole, by a path and by an abstract name")
  func message() throws {
    for name in [Self.path(), "@portico-\(UUID().uuidString)"] {
      let socket = try NotifySocket(name)
      let manager = try #require(ServiceManager(["NOTIFY_SOCKET": name]))
      #expect(manager.notify(["READY=1", "STATUS=Forwarding (lan0, wan0)"]))
      #expect(socket.receive(within: 10)?.lines == ["READY=1", "STATUS=Forwarding (lan0, wan0)"])
      #expect(manager.watchdogMicroseconds == nil && manager.inheritedNames.isEmpty)
    }
  }

  @Test("without a service manager there is none; one that has gone is no reason to stop")
  func nobody() throws {
    #expect(ServiceManager([:]) == nil)
    #expect(ServiceManager(["NOTIFY_SOCKET": "relative"]) == nil)
    let gone = try #require(ServiceManager(["NOTIFY_SOCKET": Self.path()]))
    #expect(!gone.notify(["READY=1"]))
    let long = try #require(ServiceManager(["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 200)]))
    #expect(!long.notify(["READY=1"]))
  }

  @Test("the watchdog's interval counts for the process that it names alone")
  func interval() {
    func interval(_ more: [String: String]) -> UInt64? {
      ServiceManager(["NOTIFY_SOCKET": "/run/x"].merging(more) { $1 })?.watchdogMicroseconds
    }
    #expect(interval(["WATCHDOG_USEC": "3000000"]) == 3_000_000)
    #expect(interval(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "\(getpid())"]) == 3_000_000)
    #expect(interval(["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"]) == nil)
    #expect(interval(["WATCHDOG_USEC": "soon"]) == nil)
  }

  @Test("a descriptor that is stored stays open at the service manager when it is closed here")
  func store() throws {
    let socket = try NotifySocket(Self.path())
    let manager = try #require(ServiceManager(["NOTIFY_SOCKET": socket.name]))
    var ends: [Int32] = [0, 0]
    #expect(unsafe pipe(&ends) == 0)
    #expect(manager.store(ends[1], name: "portico-lan0"))
    close(ends[1])
    let message = try #require(socket.receive(within: 10))
    #expect(message.lines == ["FDSTORE=1", "FDNAME=portico-lan0", "FDPOLL=0"])
    let copy = try #require(message.descriptor)
    var byte: UInt8 = 42
    #expect(unsafe write(copy, &byte, 1) == 1)
    byte = 0
    #expect(unsafe read(ends[0], &byte, 1) == 1)
    #expect(byte == 42)
    close(copy)
    // Nobody else holds it any more.
    #expect(unsafe read(ends[0], &byte, 1) == 0)
    close(ends[0])
  }

  @Test("descriptors that were meant for another process are not taken")
  func foreign() {
    let manager = ServiceManager(["NOTIFY_SOCKET": "/run/x", "LISTEN_PID": "1", "LISTEN_FDS": "2"])
    #expect(manager?.inheritedNames.isEmpty == true)
  }

  @Test("the watchdog is fed once in a third of its interval, and only while every heart beats")
  func watchdog() {
    func at(_ milliseconds: UInt64) -> Instant {
      Instant(nanoseconds: 5_000_000_000 + milliseconds * 1_000_000)
    }
    var watchdog = Watchdog(microseconds: 3_000_000, beats: [1, 1], at: at(0))
    func isFed(_ beats: [UInt64], _ milliseconds: UInt64) -> Bool {
      watchdog.isToFeed(beats, at: at(milliseconds))
    }
    // Nothing has beaten since.
    #expect(!isFed([1, 1], 0))
    #expect(isFed([2, 2], 1))
    #expect(!isFed([9, 9], 1000))
    #expect(isFed([9, 9], 1001))
    // One heart of two.
    #expect(!isFed([10, 9], 2001))
    #expect(!isFed([5000, 9], 60_000))
    #expect(isFed([5000, 10], 60_250))
  }

  @Test("a worker that hangs stops the watchdog's messages, and they go on with it")
  func hangs() async throws {
    let bench = try Bench()
    let socket = try NotifySocket(Self.path())
    let manager = ServiceManager(["NOTIFY_SOCKET": socket.name, "WATCHDOG_USEC": "300000"])
    let notices = try #require(
      ServiceNotices(manager, bench.workers, bench.control, logger: Logger(label: "test")))
    /// Whether one comes within a few seconds of asking as often as the daemon does.
    func isFed(rounds: Int) async -> Bool {
      for _ in 0..<rounds {
        await notices.feedWatchdog()
        if socket.receive(within: 0)?.lines == ["WATCHDOG=1"] { return true }
        try? await Task.sleep(for: .milliseconds(50))
      }
      return false
    }
    #expect(await isFed(rounds: 1200))
    let gate = await bench.holdWorker()
    // What it did before may still count once.
    _ = await isFed(rounds: 10)
    #expect(await !isFed(rounds: 40))
    gate.signal()
    #expect(await isFed(rounds: 1200))
    await bench.stop()
  }

  @Test("each line for the journal has its priority in front")
  func journal() {
    #expect(
      JournalLogHandler.text(.warning, "packets dropped", ["reason": "filtered", "packets": "3"])
        == "<4>packets dropped packets=3 reason=filtered\n")
    #expect(JournalLogHandler.text(.error, "first\nsecond", [:]) == "<3>first\n<3>second\n")
    let priorities = Logger.Level.allCases.map { JournalLogHandler.text($0, "x", [:]).prefix(3) }
    #expect(priorities == ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"])
    var facts = stat()
    #expect(unsafe fstat(STDERR_FILENO, &facts) == 0)
    #expect(JournalLogHandler.isListening(["JOURNAL_STREAM": "\(facts.st_dev):\(facts.st_ino)"]))
    #expect(!JournalLogHandler.isListening(["JOURNAL_STREAM": "\(facts.st_dev):\(facts.st_ino + 1)"]))
    #expect(!JournalLogHandler.isListening([:]))
  }
}
