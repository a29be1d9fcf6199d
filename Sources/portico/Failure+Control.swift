import ArgumentParser
import NATControl
import NATControlSocket

extension Failure {
  /// What the daemon refused; also where it met an error of its own.
  static let refused: Int32 = 1
  static let notPermitted: Int32 = 77

  /// Says why a request was not carried out and ends the command: 69 where no daemon answers, 77 where the socket is
  /// not for this user, 1 where the daemon refuses.
  static func exit(_ error: ControlError) -> ExitCode {
    switch error.reason {
    case "not-there", "cut-off", "not-understood": exit(unavailable, error.error)
    case "not-permitted" where error.status == 0: exit(notPermitted, error.error)
    default: exit(refused, error.error)
    }
  }

  /// Runs `body`, and ends the command where its request is not carried out.
  static func onRefusal<Result>(_ body: () async throws(ControlError) -> Result) async throws -> Result {
    do throws(ControlError) {
      return try await body()
    } catch {
      throw exit(error)
    }
  }
}

extension Failure {
  /// Passes the body of an answer on, piece by piece.
  static func streaming(
    _ client: ControlClient, _ path: String, _ parameters: [(name: String, value: String)] = [],
    isPatient: Bool = false, to receive: ([UInt8]) throws -> Void
  ) async throws {
    // An error of the receiver's own is not the daemon's.
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
      // What has no end of its own breaks off where the daemon ends.
      if isPatient, error.reason == "cut-off", (try? await client.status()) == nil {
        throw exit(unavailable, "\(client.socketPath): the daemon has ended")
      }
      throw exit(error)
    }
  }
}
