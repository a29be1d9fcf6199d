internal import Glibc
internal import NATSystem

/// An open descriptor to read a capture from. It is not a directory.
struct CaptureSource {
  let descriptor: Int32
  /// For messages.
  let name: String
  /// In bytes; nil if it is not a regular file.
  let size: UInt64?

  /// - Parameter path: `-` is standard input; its descriptor is duplicated.
  init(path: String) throws(CaptureFault) {
    let isStandardInput = path == "-"
    name = isStandardInput ? "standard input" : path
    // Safety: neither call keeps the path.
    descriptor =
      unsafe isStandardInput ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw CaptureFault(.noInput, path: name, "\(errorText(errno)); expected a pcap or pcapng capture")
    }
    var status = stat()
    // Safety: the structure is ours.
    guard unsafe fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw CaptureFault(.noInput, path: name, errorText(code))
    }
    let type = status.st_mode & S_IFMT
    guard type != S_IFDIR else {
      close(descriptor)
      throw CaptureFault(.noInput, path: name, "is a directory; expected a pcap or pcapng capture")
    }
    size = type == S_IFREG ? UInt64(status.st_size) : nil
  }
}
