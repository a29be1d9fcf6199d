import Foundation
import Glibc
import NATLab

/// A client, a gateway that runs `porticod`, and a server in network namespaces of their own, with the
/// machine's programs at both ends.
final class Demonstration {
  private let network: LabNetwork
  private var client: NetworkNamespace { network.client }
  private var server: NetworkNamespace { network.server }
  private var folder: URL { network.folder }
  private let name = "www.example.test"
  private var failures = 0
  /// Whether the server answers DNS queries; without a DNS server the client is told the address.
  private var hasNames = false

  init() throws {
    for program in ["ip", "unshare", "mount"] where !Programs.has(program) {
      throw LabFailure(description: "no program `\(program)`; `apt-get install -y iproute2 util-linux mount`")
    }
    network = try LabNetwork("demo")
  }

  /// - Returns: the number of failed steps.
  func run() throws -> Int {
    show("client 192.168.1.2 --- lan0 192.168.1.1 [porticod] 203.0.113.5 wan0 --- server 203.0.113.9")
    try Interruption.check()
    let daemon = try startDaemon()
    say("what the client's programs do, through the gateway")
    let names = try startNames()
    let pages = try startPages()
    try resolve()
    try step("ping -n -c 3 -i 0.2 -W 2 203.0.113.9", with: "ping", from: "iputils-ping") {
      $0.contains("3 received")
    }
    try trace()
    try download(daemon)
    say("counters at the end")
    show(try report(of: daemon).counters)
    daemon.signal(SIGTERM)
    _ = daemon.readToEnd()
    try Interruption.check()
    if daemon.wait() != 0 { fail("porticod ended with an error") }
    withExtendedLifetime((names, pages)) {}
    say("the daemon has ended; the namespaces go with this command")
    return failures
  }

  /// Prints at once, so that a reader sees it while the next step runs.
  private func show(_ text: String) {
    print(text.hasSuffix("\n") ? String(text.dropLast()) : text)
    fflush(nil)
  }

  private func say(_ text: String) { show("\n== \(text)") }

  private func fail(_ text: String) {
    failures += 1
    show("!! \(text)")
  }

  /// Starts `porticod`. If the kernel does not support the kernel rules, without them.
  private func startDaemon() throws -> ChildProcess {
    do {
      return try network.startDaemon()
    } catch let failure as LabFailure where failure.description.contains("guard:") {
      show(
        "the kernel does not support the kernel rules, so the demo runs without them: \(failure.description)")
      return try network.startDaemon("guard: off")
    }
  }

  // MARK: The server's programs

  private func startNames() throws -> ServerProgram? {
    guard Programs.has("dnsmasq") else {
      missing("dnsmasq", from: "dnsmasq-base")
      return nil
    }
    // The client's name server. Only its own processes see these files.
    _ = try network.write("nameserver 203.0.113.9\noptions timeout:2 attempts:2\n", to: "resolv.conf")
    _ = try network.write("hosts: dns\n", to: "nsswitch.conf")
    let program = try server.start([
      "/bin/sh", "-c",
      """
      exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file \
      --log-facility=- --listen-address=203.0.113.9 --bind-interfaces --address=/example.test/203.0.113.9
      """,
    ])
    let log = program.read(until: "started")
    try Interruption.check()
    hasNames = log.contains("started")
    if !hasNames { fail("dnsmasq does not start: \(log)") }
    return ServerProgram(program)
  }

  /// HTTPS with a self-signed certificate.
  private func startPages() throws -> ServerProgram? {
    guard Programs.has("openssl") else {
      missing("openssl", from: "openssl")
      return nil
    }
    try server.shell(
      """
      cd \(folder.path) && head -c 16000000 /dev/urandom >download && \
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=\(name) \
      -addext subjectAltName=DNS:\(name) -keyout key.pem -out certificate.pem
      """)
    let program = try server.start([
      "/bin/sh", "-c",
      "cd \(folder.path) && exec openssl s_server -accept 443 -cert certificate.pem -key key.pem -WWW",
    ])
    let log = program.read(until: "ACCEPT")
    try Interruption.check()
    if !log.contains("ACCEPT") { fail("openssl does not serve: \(log)") }
    return ServerProgram(program)
  }

  // MARK: The client's programs

  private func resolve() throws {
    guard hasNames else { return }
    let questions = [
      ("dig", "dig +short +timeout=2 +tries=2 @203.0.113.9 \(name)"), ("getent", "getent ahostsv4 \(name)"),
    ]
    guard let question = questions.first(where: { Programs.has($0.0) }) else {
      return missing("dig", from: "bind9-dnsutils")
    }
    try step(question.1, with: question.0, from: "bind9-dnsutils") { $0.contains("203.0.113.9") }
  }

  private func trace() throws {
    let programs = [
      ("traceroute", "traceroute -n -q 1 -w 2 -m 4 203.0.113.9"),
      ("tracepath", "tracepath -n -m 4 203.0.113.9"),
    ]
    if let program = programs.first(where: { Programs.has($0.0) }) {
      try step(program.1, with: program.0, from: "traceroute") {
        $0.contains(" 192.168.1.1 ") && $0.contains(" 203.0.113.9 ")
      }
    } else {
      missing("traceroute", from: "traceroute")
      try step("ping -n -c 1 -W 2 -t 1 203.0.113.9", with: "ping", from: "iputils-ping", expectsFailure: true)
      {
        $0.contains("From 192.168.1.1 ")
      }
    }
  }

  /// Downloads a file, and shows the table meanwhile.
  private func download(_ daemon: borrowing ChildProcess) throws {
    let file = folder.appending(path: "downloaded")
    let isPossible = Programs.has("curl") && Programs.has("openssl")
    if !Programs.has("curl") { missing("curl", from: "curl") }
    let told = hasNames ? "" : "--resolve \(name):443:203.0.113.9 "
    let command =
      "curl -sS -m 60 --limit-rate 8M -o downloaded --cacert certificate.pem \(told)https://\(name)/download"
    var transfer: ChildProcess?
    if isPossible {
      show("client$ \(command) &")
      transfer = try client.start(inClient("cd \(folder.path) && exec \(command)"))
      var patience = 500
      while patience > 0, ((try? Data(contentsOf: file, options: .alwaysMapped).count) ?? 0) == 0 {
        patience -= 1
        usleep(20_000)
        try Interruption.check()
      }
      if Programs.has("ss") {
        show("server$ ss -tn   (the server sees the gateway, never the client)")
        show(try server.attempt("ss -tn").output)
      }
    }
    say("live NAT table\(isPossible ? " while the download runs" : "")")
    show(try report(of: daemon).table)
    try Interruption.check()
    guard let transfer = transfer.take() else { return }
    let output = transfer.readToEnd()
    try Interruption.check()
    let code = transfer.wait()
    let isSame = try client.attempt("cd \(folder.path) && cmp download downloaded").code == 0
    try Interruption.check()
    if code == 0, isSame {
      show("\ndownload: 16,000,000 bytes, the same on both sides")
    } else {
      fail("the download failed (curl: \(code), \(isSame ? "same" : "different")): \(output)")
    }
  }

  /// Runs a command line on the client and shows it.
  private func step(
    _ command: String, with program: String, from package: String, expectsFailure: Bool = false,
    _ isGood: (String) -> Bool
  ) throws {
    guard Programs.has(program) else { return missing(program, from: package) }
    show("client$ \(command)")
    let process = try client.start(inClient("exec \(command)"))
    let output = process.readToEnd()
    try Interruption.check()
    let code = process.wait()
    show(output)
    if (code == 0) == expectsFailure || !isGood(output) { fail("not what it should be (exit code \(code))") }
  }

  /// The arguments to run a command line with the client's name server.
  private func inClient(_ command: String) -> [String] {
    guard hasNames else { return ["/bin/sh", "-c", command] }
    let mounts = ["resolv.conf", "nsswitch.conf"].map {
      "if [ -e /etc/\($0) ]; then mount --bind \(folder.path)/\($0) /etc/\($0) || exit; fi; "
    }
    return ["/usr/bin/env", "unshare", "--mount", "/bin/sh", "-c", mounts.joined() + command]
  }

  private func missing(_ program: String, from package: String) {
    show("-- left out: no program `\(program)`; `apt-get install -y \(package)` installs it")
  }

  /// The daemon's report on SIGUSR1.
  private func report(of daemon: borrowing ChildProcess) throws -> (table: String, counters: String) {
    daemon.signal(SIGUSR1)
    let text = daemon.read(until: "end of report\n")
    try Interruption.check()
    guard let start = text.range(of: "PROTO"), let split = text.range(of: "\n\n"),
      let end = text.range(of: "end of report"), start.lowerBound < split.lowerBound
    else { throw LabFailure(description: "porticod gives no report: \(text)") }
    return (
      String(text[start.lowerBound..<split.lowerBound]), String(text[split.upperBound..<end.lowerBound])
    )
  }
}
