import ArgumentParser
import NATComposition

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Find what on this machine would keep a gateway from working, and how to repair it.",
    discussion: """
      Checks both interfaces, their offloads, the kernel rules, and the kernel's forwarding, addresses and local routes. \
      Asks the networks by ARP who has the gateway's addresses, and whether its next hop answers. Changes nothing; a \
      gateway that runs goes on. Needs root for most checks.

      EXAMPLES
        portico doctor --config /etc/portico/portico.yaml

      EXIT CODES
        0 nothing is wrong, 1 something is wrong, 66 no such file, 78 bad configuration
      """)

  @Option(help: ArgumentHelp("The configuration (YAML).", valueName: "file"), completion: .file())
  var config: String

  func run() throws {
    var doctor = Doctor(try Failure.configuration(at: config))
    let findings = doctor.examine()
    for finding in findings {
      print("\(finding.verdict.rawValue.padded(to: 6)) \(finding.text)")
      if let mend = finding.mend { print("       mend: \(mend)") }
    }
    let wrong = findings.count { $0.verdict == .wrong }
    guard wrong == 0 else { throw Failure.exit(1, "\(wrong) of \(findings.count) findings need mending") }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
