internal import Glibc

/// The system's words for an error number.
package func errorText(_ code: Int32) -> String {
  // Safety: the text is copied at once.
  unsafe String(cString: strerror(code))
}
