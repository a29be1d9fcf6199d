package import Glibc

/// A program in the network namespace of the thread that started it.
///
/// Foundation's `Process` is not used: it watches children in another namespace, and missed their end.
package struct ChildProcess: ~Copyable {
  package let identifier: pid_t
  private let output: Int32
  private var status: Int32?

  /// - Parameters:
  ///   - arguments: the path of the program and its arguments. ``readToEnd()`` reads both of its outputs.
  ///   - descriptors: passed to the program as 3, 4 and so on.
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
    // Copy them above the target numbers first, so that no dup overwrites one that is still needed.
    let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 3 + Int32(descriptors.count)) }
    defer { for copy in copies { close(copy) } }
    for (place, copy) in copies.enumerated() {
      unsafe posix_spawn_file_actions_adddup2(&actions, copy, 3 + Int32(place))
    }
    // Dispatch threads block most signals, and a child inherits the mask.
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

  /// The rest of its output, until it and its children have closed it.
  package func readToEnd() -> String {
    var bytes: [UInt8] = []
    while let more = readSome() { bytes += more }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Its output up to and including `text`, or to the end if `text` never comes.
  package func read(until text: String) -> String {
    var printed = ""
    while !printed.contains(text), let more = readSome() { printed += String(decoding: more, as: UTF8.self) }
    return printed
  }

  /// The next part of its output; nil at the end, or if a signal interrupts the wait.
  package func readSome() -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    // Safety: the array has as many bytes.
    let count = unsafe Glibc.read(output, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : nil
  }

  package func signal(_ number: Int32) { kill(identifier, number) }

  /// Ends it with SIGTERM, and waits until it and its children have closed its output.
  /// - Returns: as ``wait()`` does.
  @discardableResult package consuming func terminate() -> Int32 {
    signal(SIGTERM)
    _ = readToEnd()
    return wait()
  }

  /// Waits until it ends.
  /// - Returns: the exit code, or 128 plus the signal that ended it.
  package consuming func wait() -> Int32 {
    var result: Int32 = 0
    // Safety: the status is ours.
    while unsafe waitpid(identifier, &result, 0) < 0, errno == EINTR {}
    status = result
    return result & 0x7F == 0 ? result >> 8 & 0xFF : 128 + (result & 0x7F)
  }
}
