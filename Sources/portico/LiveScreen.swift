import Glibc

/// A terminal taken over for a picture that is drawn anew in place, until it is given back.
final class LiveScreen {
  /// Of the keyboard; nil where standard input is no terminal.
  private var before: termios?

  /// Nil where standard output is no terminal.
  init?() {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var keys = termios()
    if unsafe tcgetattr(STDIN_FILENO, &keys) == 0 {
      before = keys
      // Keys come one by one, unseen and without waiting; signals stay what they are.
      keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
      // Safety: the settings are this function's own.
      unsafe withUnsafeMutableBytes(of: &keys.c_cc) {
        unsafe $0[Int(VMIN)] = 0
        unsafe $0[Int(VTIME)] = 0
      }
      _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &keys)
    }
    // The alternate screen, without a cursor.
    try? StandardOutput.write("\u{1B}[?1049h\u{1B}[?25l")
  }

  /// The screen as it was.
  func restore() {
    try? StandardOutput.write("\u{1B}[?25h\u{1B}[?1049l")
    if var before { _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &before) }
  }

  /// 80 by 24 where the terminal does not say.
  var size: (columns: Int, rows: Int) { StandardOutput.terminalSize ?? (80, 24) }

  /// Draws without clearing first, so that nothing flickers.
  func show(_ text: String) throws {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    try StandardOutput.write(
      "\u{1B}[H" + lines.map { "\($0)\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
  }

  /// A key that was pressed since the last call.
  func key() -> UInt8? {
    guard before != nil else { return nil }
    var key: UInt8 = 0
    // Safety: one byte is read into one byte.
    return unsafe read(STDIN_FILENO, &key, 1) == 1 ? key : nil
  }
}
