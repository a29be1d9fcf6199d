/// An explanation as text: the steps with their answers, then the packet layer by layer.
public enum ExplainText {
  public static func render(_ explanation: ExplainDocument, _ paint: Paint = .plain) -> String {
    var steps = TextColumns(["", "", ""])
    let rows = explanation.steps.enumerated().map { ["\($0 + 1).", $1.question, $1.answer] }
    for row in rows { steps.measure(row) }
    var text = ""
    for row in rows { steps.write(row, to: &text) }
    text += "\n" + verdict(explanation, paint) + "\n"
    guard !explanation.fields.isEmpty else { return text }
    return text + "\n"
      + TextColumns.text(["LAYER", "FIELD", "BEFORE", "AFTER"], explanation.fields.enumerated().map(row))

    func row(_ index: Int, _ field: ExplainDocument.Field) -> [String] {
      // The name of a layer stands on its first line only.
      let isFirst = index == 0 || explanation.fields[index - 1].layer != field.layer
      let after = field.after.map { $0 == field.before ? "same" : $0 } ?? "-"
      return [isFirst ? field.layer : "", field.field, field.before, after]
    }
  }

  private static func verdict(_ explanation: ExplainDocument, _ paint: Paint) -> String {
    let side = explanation.to.map { " (\($0))" } ?? ""
    let reason = explanation.drop.map { ": \($0)" } ?? ""
    let text = explanation.verdict + side + reason
    return "verdict: " + (explanation.verdict == "drop" ? paint.bad(text) : paint.good(text))
  }
}
