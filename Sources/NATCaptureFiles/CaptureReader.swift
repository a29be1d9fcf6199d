private import CPcap
internal import Glibc
internal import NATSystem
public import NATWire

/// A pcap or pcapng file, read record by record through libpcap.
///
/// Reads pcap in either byte order, with microseconds or nanoseconds, and pcapng whose interfaces share one
/// link type and one snap length; Ethernet or raw IP. Memory: 128 KiB and one record, for any file size.
@safe public struct CaptureReader: ~Copyable {
  public enum Outcome {
    /// The next packet. Its bytes are valid until the next call.
    case record(CapturedRecord)
    /// The file ended after a whole record. Every further call returns the same.
    case end
    /// The file cannot be read further. Every further call returns the same.
    case damaged(CaptureDamage)
  }

  /// As given by the caller; `standard input` for `-`.
  public let path: String
  /// The link layer of every record.
  public let link: LinkLayer
  /// The size of the file in bytes; nil if it is not a regular file.
  public let totalBytes: UInt64?

  private let handle: OpaquePointer
  private let file: UnsafeMutablePointer<FILE>
  private let streamBuffer: UnsafeMutableRawPointer
  private let isClassic: Bool
  private let snapLength: UInt32
  /// Where the next record begins, in bytes; negative if unknown.
  private var offset: Int
  private var recordCount: UInt64 = 0
  private var isFinished = false
  private var damage: CaptureDamage?

  /// Opens a capture and reads its header.
  /// - Parameter path: `-` is standard input.
  public init(path given: String) throws(CaptureFault) {
    let source = try CaptureSource(path: given)
    let name = source.name
    // The stream buffer of the C library has only 4 KiB.
    let bufferSize = 1 << 17
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: bufferSize, alignment: 4096)
    // Safety: the descriptor is open, and the stream owns it from here on; the buffer outlives the stream.
    guard let stream = unsafe fdopen(source.descriptor, "rb") else {
      let code = errno
      _ = close(source.descriptor)
      unsafe buffer.deallocate()
      throw CaptureFault(.noInput, path: name, errorText(code))
    }
    // Safety: the stream is open, nothing has been read from it.
    _ = unsafe setvbuf(stream, buffer.assumingMemoryBound(to: CChar.self), _IOFBF, bufferSize)
    // After one seek the C library keeps the offset, so that ftello costs no system call.
    // Safety: the stream is open.
    _ = unsafe fseeko(stream, 0, SEEK_CUR)

    var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
    // Safety: the stream is open; the message buffer has the size that libpcap asks for.
    let opened = unsafe message.withUnsafeMutableBufferPointer { text in
      unsafe pcap_fopen_offline_with_tstamp_precision(
        stream, UInt32(PCAP_TSTAMP_PRECISION_NANO), text.baseAddress)
    }
    guard let opened = unsafe opened else {
      // Safety: if libpcap fails, the caller still owns the stream.
      unsafe fclose(stream)
      unsafe buffer.deallocate()
      throw CaptureFault(.badData, path: name, CaptureReader.headerText(message, size: source.size))
    }
    // Safety: the handle is open.
    let dataLink = unsafe pcap_datalink(opened)
    guard let link = CaptureReader.link(of: dataLink) else {
      // Safety: closes the stream too; the buffer is not used after that.
      unsafe pcap_close(opened)
      unsafe buffer.deallocate()
      throw CaptureFault(.badData, path: name, CaptureReader.linkText(dataLink))
    }
    path = name
    self.link = link
    totalBytes = source.size
    unsafe handle = opened
    unsafe file = stream
    unsafe streamBuffer = buffer
    // Safety: the handle is open. The version of the format: 1 is pcapng, 2 (and 543) pcap.
    isClassic = unsafe pcap_major_version(opened) != 1
    // Safety: the handle is open.
    snapLength = UInt32(clamping: unsafe pcap_snapshot(opened))
    // Safety: the stream is open. A pipe has no offset, but the header of a pcap file has 24 bytes.
    let position = unsafe ftello(stream)
    offset = position >= 0 || !isClassic ? position : CaptureReader.fileHeaderLength
  }

  deinit {
    // Safety: owned, closed once. This closes the stream, and its buffer is freed after that.
    unsafe pcap_close(handle)
    unsafe streamBuffer.deallocate()
  }

  private static let fileHeaderLength = 24
  private static let recordHeaderLength = 16

  /// How many bytes of the file have been read; 0 if unknown (pcapng from a pipe).
  public var bytesRead: UInt64 { UInt64(max(0, offset)) }

  /// Reads one record.
  /// - Complexity: O(its length).
  public mutating func next() -> Outcome {
    if isFinished { return ending }
    var header: UnsafeMutablePointer<pcap_pkthdr>? = nil
    var data: UnsafePointer<UInt8>? = nil
    // Safety: the handle is open; both results live in it until its next call.
    let status = unsafe pcap_next_ex(handle, &header, &data)
    guard status == 1, let header = unsafe header else {
      finish(status)
      return ending
    }
    // Safety: libpcap filled the header and keeps `caplen` bytes at `data` until its next call.
    let length = unsafe header.pointee.caplen
    let record = unsafe CapturedRecord(
      bytes: UnsafeRawBufferPointer(start: data, count: Int(length)),
      wireLength: Int(header.pointee.len),
      stamp: CaptureStamp.instant(
        seconds: header.pointee.ts.tv_sec, fraction: header.pointee.ts.tv_usec, isClassic: isClassic))
    recordCount &+= 1
    // ftello for every record would cost about 35 ns of some 100. The sum is exact for pcap, except after
    // records that libpcap truncated to the snap length: it does not report their length in the file.
    if isClassic, length < snapLength {
      offset += CaptureReader.recordHeaderLength + Int(length)
    } else {
      resynchronize(Int(length))
    }
    return .record(record)
  }

  private mutating func resynchronize(_ length: Int) {
    // Safety: the stream is open as long as the handle.
    let position = unsafe ftello(file)
    if position >= 0 {
      offset = position
    } else if isClassic {
      offset += CaptureReader.recordHeaderLength + length
    }
  }

  private var ending: Outcome {
    if let damage { .damaged(damage) } else { .end }
  }

  @inline(never)
  private mutating func finish(_ status: Int32) {
    isFinished = true
    guard status != PCAP_ERROR_BREAK else { return }
    // Safety: the handle and its stream are open; the text is copied before the next call.
    let text = unsafe String(cString: pcap_geterr(handle))
    let kind: CaptureDamage.Kind =
      if unsafe ferror(file) != 0 { .unreadable } else if unsafe feof(file) != 0 { .truncated } else {
        .invalid
      }
    damage = CaptureDamage(
      kind, path: path, offset: UInt64(exactly: offset), isBlock: !isClassic, recordsBefore: recordCount,
      text: text)
  }
}

extension CaptureReader {
  private static func link(of dataLink: Int32) -> LinkLayer? {
    switch dataLink {
    case DLT_EN10MB: .ethernet
    case DLT_RAW, DLT_IPV4: .rawIP
    default: nil
    }
  }

  private static func linkText(_ dataLink: Int32) -> String {
    // Safety: both return a constant text or null.
    let name = unsafe pcap_datalink_val_to_name(dataLink).map { unsafe String(cString: $0) }
    let meaning = unsafe pcap_datalink_val_to_description(dataLink).map { unsafe String(cString: $0) }
    let found = (name ?? "number \(dataLink)") + (meaning.map { " (\($0))" } ?? "")
    return "link type \(found); expected Ethernet (EN10MB) or raw IP (RAW, IPV4)"
  }

  private static func headerText(_ message: [CChar], size: UInt64?) -> String {
    let expected = "expected a pcap or pcapng capture"
    if size == 0 { return "empty file (0 bytes); \(expected), which has a header even without records" }
    let text = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "the file header at byte offset 0 cannot be read: \(text); \(expected)"
  }
}
