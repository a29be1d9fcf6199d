/// The flight recorder for people.
public enum RecordText {
  public static func render(_ record: RecordDocument) -> String {
    let held =
      "\(HumanText.amount(record.packets, "packet")) (\(record.content.rawValue)), \(record.bytes) bytes, "
      + "of \(record.span.nanoseconds / 1_000_000_000) s"
    if let directory = record.directory { return "\(directory): \(held)\n" }
    return record.isRecording ? "recording: \(held)\n" : "not recording\n"
  }
}
