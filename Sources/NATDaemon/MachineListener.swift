import Dispatch
import NATKernel

/// Reports that the machine's addresses, default routes or interfaces may have changed.
final class MachineListener: @unchecked Sendable {
  // Sendable: the Dispatch source is made and cancelled here, and may be used from all threads.
  /// One element for any number of changes.
  let news: AsyncStream<Void>
  private let watch: MachineWatch
  private let source: any DispatchSourceRead

  init() throws(InterfaceFault) {
    watch = try MachineWatch()
    let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    news = stream
    source = DispatchSource.makeReadSource(fileDescriptor: watch.descriptor)
    source.setEventHandler { [weak self] in
      if self?.watch.takeChanges() == true { continuation.yield() }
    }
    source.resume()
  }

  deinit { source.cancel() }
}
