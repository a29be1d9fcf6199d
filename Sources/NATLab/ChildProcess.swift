package import Glibc

/// A program that runs beside its caller, in the network namespace of the thread that started it. Foundation's
/// `Process` waits on threads of its own for a socket that was made in another namespace, and did not hear of
/// ends there.
package struct ChildProcess: ~Copyable {
  package let identifier: pid_t
  private let output: Int32
  private var status: Int32?

  /// - Parameters:
  ///   - arguments: the path of the program, and what follows. Its outputs are read with ``readToEnd()``.
  ///   - descriptors: what it gets from 3 on.
  package init(_ arguments: [String], descriptors: [Int32] = []) throws {
    var ends: [Int32] = [0, 0]
    // Safety: the array holds both ends.
    guard unsafe pipe(&ends) == 0 else { throw LabFailure(description: "pipe: error \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    var child: pid_t = 0
    // Safety: the actions are initialized first and destroyed last; the strings live as long as the call.
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    // Copies beyond the places to fill, so that none is overwritten before its turn.
    let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 3 + Int32(descriptors.count)) }
    defer { for copy in copies { close(copy) } }
    for (place, copy) in copies.enumerated() {
      unsafe posix_spawn_file_actions_adddup2(&actions, copy, 3 + Int32(place))
    }
    // Threads of Dispatch block most signals, and a child inherits that.
    var attributes = posix_spawnattr_t()
    var mask = sigset_t()
    unsafe posix_spawnattr_init(&attributes)
    unsafe sigemptyset(&mask)
    unsafe posix_spawnattr_setsigmask(&attributes, &mask)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var pointers = unsafe arguments.map { unsafe strdup($0) } + [nil]
    let code = unsafe posix_spawn(&child, arguments[0], &actions, &attributes, &pointers, environ)
    unsafe pointers.forEach { unsafe free($0) }
    unsafe posix_spawn_file_actions_destroy(&actions)
    unsafe posix_spawnattr_destroy(&attributes)
    close(ends[1])
    guard code == 0 else {
      close(ends[0])
      throw LabFailure(description: "\(arguments[0]) does not start: error \(code)")
    }
    output = ends[0]
    identifier = child
  }

  deinit {
    if status == nil {
      kill(identifier, SIGKILL)
      while waitpid(identifier, nil, 0) < 0, errno == EINTR {}
    }
    close(output)
  }

  /// Everything that it still prints, until it and its children have closed their outputs.
  package func readToEnd() -> String {
    var bytes: [UInt8] = []
    while let more = readSome() { bytes += more }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What it prints up to and with `text`; everything to the end if that never comes.
  package func read(until text: String) -> String {
    var printed = ""
    while !printed.contains(text), let more = readSome() { printed += String(decoding: more, as: UTF8.self) }
    return printed
  }

  /// Some of what it prints, as soon as there is any; nil at the end.
  package func readSome() -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // A signal that the caller handles ends the reading, so that it can see to it.
    // Safety: the array has as many bytes.
    let count = unsafe Glibc.read(output, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : nil
  }

  package func signal(_ number: Int32) { kill(identifier, number) }

  /// Waits for its end.
  /// - Returns: the exit code, or 128 and the signal that ended it.
  package consuming func wait() -> Int32 {
    var result: Int32 = 0
    // Safety: the status is ours.
    while unsafe waitpid(identifier, &result, 0) < 0, errno == EINTR {}
    status = result
    return result & 0x7F == 0 ? result >> 8 & 0xFF : 128 + (result & 0x7F)
  }
}
