/// What the help texts of several commands say in the same words.
enum HelpText {
  /// Of the commands that ask the daemon.
  static let daemonExitCodes = """
    EXIT CODES
      0 done, 1 refused by the daemon, 64 usage, 69 no daemon there,
      77 the socket is not for this user
    """
}
