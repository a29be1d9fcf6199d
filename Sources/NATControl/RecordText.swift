/// The flight recorder as text.
public enum RecordText {
  public static func render(_ record: RecordDocument) -> String {
    let held =
      "\(HumanText.amount(record.packets, "packet")) (\(record.content.rawValue)), \(record.bytes) bytes, "
      + "of \(record.span.nanoseconds / 1_000_000_000) s"
    if let directory = record.directory { return "\(directory): \(held)\n" }
    guard record.isRecording else { return "not recording\n" }
    let begin =
      switch record.begin {
      case .dump: ", started again after a dump"
      case .change: ", started again after a change of the configuration, of addresses or of the table"
      case .on, .none: ""
      }
    return "recording: \(held)\(begin)\n"
  }
}
