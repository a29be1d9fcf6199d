// swift-tools-version: 6.2
import PackageDescription

/// Settings every room shares: Swift 6 language mode comes with the tools version.
let house: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// The packet rooms also refuse what the optimizer knows to be slow: existentials, hidden allocation, ARC.
let packetPath: [SwiftSetting] =
  house + [
    .treatWarning("PerformanceHints", as: .error)
  ]

let package = Package(
  name: "portico",
  products: [
    .executable(name: "portico", targets: ["portico"]),
    .executable(name: "porticod", targets: ["porticod"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Linux, libpcap, libnftables and libmnl.
    .systemLibrary(
      name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    .systemLibrary(
      name: "CNFTables", pkgConfig: "libnftables", providers: [.apt(["libnftables-dev"])]),
    .systemLibrary(name: "CMNL", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
    .target(name: "CLinuxPacket"),

    // The packet path, in the order of its arrows.
    .target(name: "NATWire", swiftSettings: packetPath),
    .target(name: "NATMemory", dependencies: ["NATWire", "CLinuxPacket"], swiftSettings: packetPath),
    .target(
      name: "NATTable", dependencies: ["NATWire", "NATMemory", "CLinuxPacket"], swiftSettings: packetPath),
    .target(
      name: "NATEngine", dependencies: ["NATWire", "NATMemory", "NATTable"], swiftSettings: packetPath),
    .target(
      name: "NATGateway", dependencies: ["NATWire", "NATMemory", "NATTable", "NATEngine"],
      swiftSettings: packetPath),

    // Around it.
    .target(name: "NATSystem", swiftSettings: house),
    .target(name: "NATCaptureFiles", dependencies: ["NATWire", "NATSystem", "CPcap"], swiftSettings: house),
    .target(
      name: "NATKernel", dependencies: ["NATWire", "NATSystem", "CNFTables", "CMNL", "CLinuxPacket"],
      swiftSettings: house),
    .target(
      name: "NATLiveIO", dependencies: ["NATWire", "NATKernel", "NATSystem", "CPcap", "CLinuxPacket"],
      swiftSettings: house),
    .target(
      name: "NATConfiguration",
      dependencies: ["NATWire", .product(name: "Yams", package: "Yams")], swiftSettings: house),
    .target(name: "NATControl", swiftSettings: house),
    // The control socket's transport, apart from NATControl, so that replay and fuzzers do not build SwiftNIO.
    .target(
      name: "NATControlSocket",
      dependencies: [
        "NATControl", "NATSystem", "NATWire",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: house),
    .target(
      name: "NATComposition",
      dependencies: [
        "NATWire", "NATMemory", "NATTable", "NATEngine", "NATGateway", "NATCaptureFiles", "NATKernel",
        "NATSystem",
        "NATConfiguration",
        "NATControl",
      ], swiftSettings: house),
    .target(
      name: "NATDaemon",
      dependencies: [
        "NATWire", "NATMemory", "NATTable", "NATEngine", "NATGateway", "NATCaptureFiles", "NATKernel",
        "NATLiveIO",
        "NATSystem", "NATConfiguration",
        "NATComposition", "NATControl", "NATControlSocket", "CLinuxPacket",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ], swiftSettings: house),
    // Network namespaces and programs in them, for the demonstration and the tests.
    .target(name: "NATLab", dependencies: ["CLinuxPacket", "NATSystem"], swiftSettings: house),
    .executableTarget(
      name: "porticod",
      dependencies: [
        "NATDaemon", "NATConfiguration", "NATControl", "NATControlSocket", "NATKernel", "NATSystem",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ], swiftSettings: house),
    .executableTarget(
      name: "portico",
      dependencies: [
        "NATWire", "NATMemory", "NATTable", "NATEngine", "NATGateway", "NATCaptureFiles", "NATKernel",
        "NATLiveIO",
        "NATSystem", "NATConfiguration",
        "NATControl", "NATControlSocket", "NATComposition", "NATLab",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      // What `portico install` puts on a machine travels in the program: links to the files of config and systemd.
      resources: [
        "portico.service", "portico.sysusers", "portico.tmpfiles", "portico.yaml", "portico.rules.yml",
        "portico-dashboard.json",
      ].map { .embedInCode("Installed/\($0)") },
      swiftSettings: house),

    // What holds for the sources and documents as texts.
    .testTarget(name: "SourceTests", swiftSettings: house),
    // Tests mirror the rooms.
    .testTarget(name: "NATWireTests", dependencies: ["NATWire"], swiftSettings: house),
    .testTarget(
      name: "NATTableTests", dependencies: ["NATMemory", "NATTable", "NATWire"], swiftSettings: house),
    .testTarget(
      name: "NATEngineTests", dependencies: ["NATEngine", "NATMemory", "NATTable", "NATWire"],
      swiftSettings: house),
    .testTarget(
      name: "NATGatewayTests",
      dependencies: [
        "NATGateway", "NATEngine", "NATMemory", "NATTable", "NATWire", "NATComposition", "NATConfiguration",
        "NATControl",
      ],
      swiftSettings: house),
    .testTarget(
      name: "NATConfigurationTests",
      dependencies: ["NATConfiguration", "NATComposition", "NATGateway", "NATMemory", "NATTable", "NATWire"],
      swiftSettings: house),
    .testTarget(
      name: "NATCaptureFilesTests", dependencies: ["NATCaptureFiles", "NATWire"],
      swiftSettings: house),
    .testTarget(
      name: "NATKernelTests", dependencies: ["NATKernel", "NATWire", "CLinuxPacket"],
      swiftSettings: house),
    .testTarget(
      name: "NATLiveIOTests", dependencies: ["NATLiveIO", "NATKernel", "NATWire", "CLinuxPacket"],
      swiftSettings: house),
    .testTarget(name: "NATControlTests", dependencies: ["NATControl"], swiftSettings: house),
    .testTarget(
      name: "NATControlSocketTests",
      dependencies: [
        "NATControlSocket", "NATControl", "NATConfiguration", "NATDaemon", "NATWire", "portico",
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: house),
    // What tests share: packet builder, checksum, random numbers, captures, a service manager's socket.
    .target(
      name: "TestSupport", dependencies: ["NATLab", "NATSystem", "NATWire"], path: "Tests/Support",
      swiftSettings: house),
    // Oracles of the tests, which share no code with the rooms.
    .target(name: "ReferenceNAT", path: "Tests/ReferenceNAT", swiftSettings: house),
    .testTarget(name: "ReferenceNATTests", dependencies: ["ReferenceNAT"], swiftSettings: house),
    .testTarget(
      name: "ReplayTests",
      dependencies: ["NATComposition", "NATConfiguration", "NATControl", "NATCaptureFiles", "NATWire"],
      exclude: ["Scenarios"], swiftSettings: house),
    .testTarget(
      name: "LabTests",
      dependencies: [
        "NATKernel", "NATLiveIO", "NATWire", "NATLab", "NATControl", "NATControlSocket", "CLinuxPacket",
        "LabHolder",
        "portico", "porticod",
      ],
      exclude: ["confined.py"], swiftSettings: house),
    // Holds what a process holds, until it is killed.
    .executableTarget(
      name: "LabHolder", dependencies: ["NATKernel", "NATWire"], path: "Tests/LabHolder",
      swiftSettings: house),
    // The daemon on ports that lose, delay, double and cut frames. No test may depend on it: it stands in the way of
    // system calls.
    .executableTarget(
      name: "FaultyDaemon",
      dependencies: [
        "CPcap", "CLinuxPacket", "NATConfiguration", "NATDaemon", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ], path: "Tests/FaultyDaemon", swiftSettings: house),
    .testTarget(
      name: "NATDaemonTests",
      dependencies: [
        "NATDaemon", "NATControl", "NATConfiguration", "NATComposition", "NATGateway", "NATEngine",
        "NATMemory", "NATTable", "NATKernel", "NATWire", "NATLab",
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: house),
    .testTarget(
      name: "PorticoTests",
      dependencies: [
        "portico", "porticod", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: house),
    .testTarget(
      name: "ConversationTests",
      dependencies: [
        "ReferenceNAT", "NATComposition", "NATConfiguration", "NATGateway", "NATEngine", "NATMemory",
        "NATTable",
        "NATControl", "NATWire",
      ], swiftSettings: house),
  ]
)

for target in package.targets where target.type == .test { target.dependencies.append("TestSupport") }

// The fuzzers, which only Tests/Fuzzers/run builds: libFuzzer brings a main function of its own.
if Context.environment["PORTICO_FUZZERS"] != nil {
  func fuzzer(_ name: String, _ folder: String, _ rooms: [Target.Dependency]) -> Target {
    .executableTarget(
      name: name, dependencies: ["FuzzerSupport", "ReferenceNAT"] + rooms, path: "Tests/Fuzzers/\(folder)",
      swiftSettings: house)
  }
  package.targets += [
    .target(name: "FuzzerSupport", path: "Tests/Fuzzers/Support", swiftSettings: house),
    fuzzer("decoder-fuzzer", "Decoder", ["NATEngine", "NATWire"]),
    fuzzer("quote-fuzzer", "Quote", ["NATEngine", "NATWire"]),
    fuzzer(
      "gateway-fuzzer", "Gateway",
      [
        "NATComposition", "NATConfiguration", "NATControl", "NATGateway", "NATEngine", "NATMemory",
        "NATTable", "NATWire",
      ]),
    .executableTarget(
      name: "fuzzer-seeds", dependencies: ["FuzzerSupport", "NATCaptureFiles"], path: "Tests/Fuzzers/Seeds",
      swiftSettings: house),
  ]
}

// PORTICO_TESTS=NATTableTests,NATWireTests leaves only these tests and what they need: a quick build.
if let names = Context.environment["PORTICO_TESTS"] {
  var needed = Set(names.split(separator: ",").map(String.init))
  var count = 0
  while needed.count > count {
    count = needed.count
    for target in package.targets where needed.contains(target.name) {
      for case .byNameItem(let name, _) in target.dependencies { needed.insert(name) }
    }
  }
  package.targets.removeAll { !needed.contains($0.name) }
  package.products = []
}
