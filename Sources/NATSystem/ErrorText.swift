internal import Glibc

/// The system's text for an error number.
package func errorText(_ code: Int32) -> String {
  // Safety: the text is copied at once.
  unsafe String(cString: strerror(code))
}
