import ArgumentParser
import NATControl
import NATControlSocket

extension Failure {
  /// The daemon refused the request, or failed.
  static let refused: Int32 = 1
  static let notPermitted: Int32 = 77

  /// Prints why a request failed and ends the command. Exit code 69: no daemon answers; 77: this user may not
  /// use the socket; 1: the daemon refused.
  static func exit(_ error: ControlError) -> ExitCode {
    switch error.reason {
    case "not-there", "cut-off", "not-understood": exit(unavailable, error.error)
    case "not-permitted" where error.status == 0: exit(notPermitted, error.error)
    default: exit(refused, error.error)
    }
  }

  /// Runs `body`, and ends the command if its request fails.
  static func onRefusal<Result>(_ body: () async throws(ControlError) -> Result) async throws -> Result {
    do throws(ControlError) {
      return try await body()
    } catch {
      throw exit(error)
    }
  }
}

extension Failure {
  /// Streams the body of an answer to `receiver`.
  static func streaming(
    _ client: ControlClient, _ path: String, _ parameters: [(name: String, value: String)] = [],
    isPatient: Bool = false, to receive: ([UInt8]) throws -> Void
  ) async throws {
    // An error of the receiver is not an error of the daemon.
    var ownError: (any Error)?
    do throws(ControlError) {
      try await client.stream(.get, path, parameters, isPatient: isPatient) { piece in
        do { try receive(piece) } catch {
          ownError = error
          throw error
        }
      }
    } catch {
      if let ownError { throw ownError }
      // An endless stream breaks off when the daemon ends.
      if isPatient, error.reason == "cut-off", (try? await client.status()) == nil {
        throw exit(unavailable, "\(client.socketPath): the daemon has ended")
      }
      throw exit(error)
    }
  }
}
