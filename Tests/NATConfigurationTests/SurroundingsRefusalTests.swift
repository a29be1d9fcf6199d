import Testing

/// Refusals of workers, control, metrics, guard and log.
@Suite struct SurroundingsRefusalTests {
  @Test(
    "a setting of the surroundings is refused with its place and what would be right", arguments: refusals)
  func refused(_ refusal: Refusal) { refusal.check() }

  static let refusals = settings + workers + modes + endpoints

  private static let workers = ["0", "65", "-1", "two", "1.0", "01"].map { count in
    Refusal(
      "\(count) workers", after: "workers: \(count)",
      "4:10: workers: found \"\(count)\"; expected a number from 1 to 64")
  }

  private static let modes = ["0o660", "0888", "66", "01777", "+660", "rw"].map { mode in
    Refusal(
      "the mode \(mode)", after: #"control: { mode: "\#(mode)" }"#,
      "4:18: control.mode: found \"\(mode)\"; expected permissions in octal such as \"0660\", at most 0777")
  }

  private static let endpoints = [
    ":9477", "127.0.0.1", "127.0.0.1:0", "localhost:9477", "[::1]:9477", "127.0.0.1:70000", "on",
  ].map { endpoint in
    Refusal(
      "metrics at \(endpoint)", after: #"metrics: { listen: "\#(endpoint)" }"#,
      "4:20: metrics.listen: found \"\(endpoint)\"; expected ADDRESS:PORT such as 127.0.0.1:9477, or off")
  }

  private static let settings = [
    Refusal(
      "a control socket that is none", after: #"control: { socket: "" }"#,
      "4:20: control.socket: found \"\"; expected the path of a Unix socket, 1 to 107 bytes"),
    Refusal(
      "a control socket with a path too long",
      after:
        "control: { socket: /sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss }",
      "4:20: control.socket: found \"/sssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"...; expected the path of a Unix socket, 1 to 107 bytes"
    ),
    Refusal(
      "a group that is none", after: #"control: { group: "a b" }"#,
      "4:19: control.group: found \"a b\"; expected the name or number of a group"),
    Refusal(
      "a state file without a folder", after: "state: { file: state }",
      "4:16: state.file: found \"state\"; expected the path of a file, from the root, 2 to 1023 bytes, or off"
    ),
    Refusal(
      "an interval of the state without a unit", after: "state: { interval: 60 }",
      "4:20: state.interval: found \"60\", which has no unit; expected a duration from 1s to 1d, such as 60s or 5m"
    ),
    Refusal(
      "a recording of pictures", after: "record: { content: pictures }",
      "4:20: record.content: found \"pictures\"; expected packets or headers"),
    Refusal(
      "a recording in a kilobyte", after: "record: { memory: 1KiB }",
      "4:19: record.memory: found \"1KiB\"; expected a size from 3MiB to 4GiB, such as 96MiB"),
    Refusal(
      "a delivery that is none", after: "capture: { delivery: batch }",
      "4:22: capture.delivery: found \"batch\"; expected immediate or blocks"),
    Refusal(
      "a ring that is too small", after: "capture: { ring: 1023KiB }",
      "4:18: capture.ring: found \"1023KiB\"; expected a size from 1MiB to 1GiB, such as 64MiB"),
    Refusal(
      "a snap length beyond the largest packet", after: "capture: { snap-length: 65554 }",
      "4:25: capture.snap-length: found \"65554\"; expected a number from 128 to 65553"),
    Refusal(
      "metrics off", after: "metrics: off",
      "4:10: metrics: found \"off\"; expected a mapping with the key listen"),
    Refusal(
      "a guard that is none", after: "guard: auto",
      "4:8: guard: found \"auto\"; expected on or off (or true, false, yes, no)"),
    Refusal(
      "a log level that is none", after: "log: { level: verbose }",
      "4:15: log.level: found \"verbose\"; expected trace, debug, info, notice, warning, error or critical"),
  ]
}
