/// Text that several help texts share.
enum HelpText {
  /// Exit codes of commands that talk to the daemon.
  static let daemonExitCodes = """
    EXIT CODES
      0 done, 1 refused by the daemon, 64 usage, 69 no daemon there,
      77 the socket is not for this user
    """
}
