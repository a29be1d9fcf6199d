import Foundation
import Glibc
import NATLab

/// An HTTPS server beside the street's server, a real program: `GET /NAME` gives a file of the street's folder,
/// `PUT /NAME` makes one. Its certificate, for portico.test, is certificate.pem there.
struct SecureServer: ~Copyable {
  private let process: ChildProcess

  private static let program = """
    import http.server, shutil, ssl

    class Files(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self):
            left = int(self.headers["Content-Length"])
            with open(self.path[1:], "wb") as file:
                while left > 0:
                    some = self.rfile.read(min(left, 1 << 20))
                    if not some:
                        return
                    file.write(some)
                    left -= len(some)
            self.send_response(201)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"stored")

        def log_message(self, *words):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("certificate.pem", "key.pem")
    server = http.server.ThreadingHTTPServer(("203.0.113.9", 443), Files)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("serving", flush=True)
    server.serve_forever()

    """

  init(_ street: Lab.Street) throws {
    let folder = street.folder.path
    try street.server.shell(
      """
      cd \(folder) && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
      -keyout key.pem -out certificate.pem -subj /CN=portico.test -addext subjectAltName=DNS:portico.test
      """)
    try Data(SecureServer.program.utf8).write(to: street.folder.appending(path: "server.py"))
    let started = try street.server.start([
      "/bin/sh", "-c", "cd \(folder) && exec /usr/bin/python3 server.py",
    ])
    let words = started.read(until: "serving")
    guard words.contains("serving") else { throw LabFailure(description: "no HTTPS server: \(words)") }
    process = started
  }

  consuming func stop() {
    process.signal(SIGTERM)
    _ = process.wait()
  }
}
