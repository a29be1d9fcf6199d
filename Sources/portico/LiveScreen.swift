import Glibc

/// Takes over the terminal for a text screen that is redrawn in place, and restores it afterwards.
final class LiveScreen {
  /// Terminal settings to restore; nil if standard input is no terminal.
  private var before: termios?

  /// Fails (nil) if standard output is no terminal.
  init?() {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var keys = termios()
    if unsafe tcgetattr(STDIN_FILENO, &keys) == 0 {
      before = keys
      // Read keys one by one, without echo and without waiting. Ctrl-C still sends its signal.
      keys.c_lflag &= ~tcflag_t(ICANON | ECHO)
      // Safety: the settings are a local variable.
      unsafe withUnsafeMutableBytes(of: &keys.c_cc) {
        unsafe $0[Int(VMIN)] = 0
        unsafe $0[Int(VTIME)] = 0
      }
      _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &keys)
    }
    // Switch to the alternate screen and hide the cursor.
    try? StandardOutput.write("\u{1B}[?1049h\u{1B}[?25l")
  }

  /// Restores the screen.
  func restore() {
    try? StandardOutput.write("\u{1B}[?25h\u{1B}[?1049l")
    if var before { _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &before) }
  }

  /// Width and height; 80 by 24 if the terminal does not report them.
  var size: (columns: Int, rows: Int) { StandardOutput.terminalSize ?? (80, 24) }

  /// Draws without clearing first, to avoid flicker.
  func show(_ text: String) throws {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    try StandardOutput.write(
      "\u{1B}[H" + lines.map { "\($0)\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
  }

  /// A key pressed since the last call.
  func key() -> UInt8? {
    guard before != nil else { return nil }
    var key: UInt8 = 0
    // Safety: one byte is read into one byte.
    return unsafe read(STDIN_FILENO, &key, 1) == 1 ? key : nil
  }
}
