import NATComposition
import NATConfiguration
import NATControl
import NATTable
import NATWire

/// The static mappings of a running gateway: those that operators added, and those that ended without an
/// operator.
struct StaticRegistry: Sendable {
  /// Mappings added at run time. They survive a reload.
  var added: [Configuration.StaticMapping] = []

  /// Reads a mapping to add to those of a configuration.
  /// - Throws: `bad-static-mapping`, or `static-mapping-conflict`.
  func mapping(
    _ entry: StaticDocument, beside configuration: Configuration
  ) throws(ControlError) -> Configuration.StaticMapping {
    let mapping: Configuration.StaticMapping
    do {
      mapping = try configuration.staticMapping(from: entry.entry, beside: [])
    } catch {
      throw ControlError(status: 400, reason: "bad-static-mapping", error.description)
    }
    do {
      _ = try configuration.staticMapping(from: entry.entry, beside: configuration.statics)
    } catch {
      throw ControlError(status: 409, reason: "static-mapping-conflict", error.description)
    }
    return mapping
  }

  /// Adds the operators' mappings to a configuration that was just read, as if they were last in the file.
  /// - Returns: those that the file does not have.
  /// - Throws: `static-mapping-conflict`.
  func addAdded(
    to target: inout Configuration
  ) throws(ControlError) -> [Configuration.StaticMapping] {
    var kept: [Configuration.StaticMapping] = []
    for mapping in added where !target.statics.contains(mapping) {
      do {
        _ = try target.staticMapping(from: mapping.entry, beside: target.statics)
      } catch {
        throw ControlError(
          status: 409, reason: "static-mapping-conflict",
          "the mapping \(mapping.protocolText) \(mapping.publicText), added at run time, does not fit "
            + "the file: \(error.description)")
      }
      target.statics.append(mapping)
      kept.append(mapping)
    }
    return kept
  }

  /// Removes port forwards from the configuration that have ended without an operator.
  /// - Complexity: O(port forwards) if any of them can end without an operator.
  mutating func removeEnded(from inForce: inout ConfigurationInForce, _ table: TranslationTable) {
    let passing = inForce.live.statics.filter(\.terms.endsByItself)
    guard !passing.isEmpty, let reader = TableReader(table) else { return }
    var standing: Set<PortForward> = []
    reader.portForwards { standing.insert($0) }
    let ended = Set(
      passing.filter { mapping in
        guard case .portForward(let transport, let outer, let inner, _) = mapping else { return false }
        return !standing.contains(PortForward(transport, public: outer, private: inner))
      })
    guard !ended.isEmpty else { return }
    let outside = inForce.live.interfaces.outside.address
    func hasEnded(_ mapping: Configuration.StaticMapping) -> Bool {
      ended.contains(mapping.onMachine(outside))
    }
    inForce.live.statics.removeAll(where: ended.contains)
    inForce.written.statics.removeAll(where: hasEnded)
    added.removeAll(where: hasEnded)
  }
}
