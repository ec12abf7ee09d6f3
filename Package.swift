// swift-tools-version: 6.1
import PackageDescription

// Arrows point down only: a target depends on those above it, never on those below.
let package = Package(
    name: "imapd",
    products: [
        .executable(name: "imapd", targets: ["imapd"]),
        .executable(name: "imapctl", targets: ["imapctl"]),
        .library(name: "IMAPGrammar", targets: ["IMAPTypes", "IMAPGrammar"]),
        .library(name: "MailMessage", targets: ["MailMessage"]),
        .library(
            name: "IMAPServer",
            targets: ["IMAPServer", "IMAPSession", "MailStore", "MemoryStore", "Maildir", "Authentication"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system.git", from: "1.4.0"),
    ],
    targets: [
        // C: what Swift cannot call.
        .target(name: "CLinux"),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .target(name: "CPAM"),
        .target(name: "CCrypt"),

        // Values, and bytes in, bytes out: no I/O.
        .target(name: "IMAPTypes"),
        .target(name: "IMAPGrammar", dependencies: ["IMAPTypes"]),
        .target(name: "MailMessage"),

        // Stores.
        .target(name: "MailStore", dependencies: ["IMAPTypes", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "MemoryStore", dependencies: ["MailStore"]),
        .target(name: "Maildir", dependencies: ["MailStore", "CLinux", .product(name: "Logging", package: "swift-log")]),

        // The wire and who is on it.
        .target(name: "Transport",
                dependencies: ["CLinux", "COpenSSL", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "Authentication", dependencies: ["COpenSSL"]),
        .target(name: "Privilege", dependencies: ["CLinux", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "SystemAuthentication", dependencies: ["Authentication", "Privilege", "CPAM", "CCrypt"]),

        // The states of RFC 9051 §3.
        .target(name: "Gate", dependencies: ["IMAPGrammar", "Transport", "Authentication"]),
        .target(name: "IMAPSession", dependencies: ["IMAPGrammar", "MailMessage", "MailStore", "Transport",
                                                    .product(name: "Logging", package: "swift-log")]),

        // Processes.
        .target(name: "IMAPServer", dependencies: ["Gate", "IMAPSession", "Transport", "Authentication", "MailStore",
                                                   .product(name: "Logging", package: "swift-log")]),
        .target(name: "Daemon", dependencies: ["IMAPServer", "Maildir", "MemoryStore", "SystemAuthentication", "Privilege",
                                               "CLinux", .product(name: "Logging", package: "swift-log")]),
        .executableTarget(name: "imapd", dependencies: ["Daemon"],
                          // Bound before the first fork, so that no child copies a page to do it.
                          linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])]),

        // The administrator's tool: no process forks from it, so it may carry what imapd may not. It reads the daemon's settings.
        .target(name: "Control", dependencies: ["Daemon", "SystemAuthentication", "Maildir", "MailMessage", "IMAPSession",
                                                "Transport", "Privilege", "CLinux",
                                                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                                                .product(name: "Logging", package: "swift-log")]),
        .executableTarget(name: "imapctl", dependencies: ["Control"]),

        // Not part of any product: work whose instructions are counted.
        .executableTarget(name: "imapd-benchmark",
                          dependencies: ["IMAPTypes", "IMAPGrammar", "MailMessage", "MailStore", "Maildir", "IMAPSession",
                                         "Transport", .product(name: "Logging", package: "swift-log")],
                          path: "Tests/Benchmarks", exclude: ["run", "baseline"]),

        .testTarget(name: "IMAPTypesTests", dependencies: ["IMAPTypes", "TestSupport"]),
        .testTarget(name: "IMAPGrammarTests", dependencies: ["IMAPGrammar", "TestSupport"]),
        .testTarget(name: "MailMessageTests", dependencies: ["MailMessage", "TestSupport"]),
        .testTarget(name: "StoreTests", dependencies: ["MailStore", "MemoryStore", "Maildir", "TestSupport"]),
        .testTarget(name: "IMAPSessionTests",
                    dependencies: ["IMAPSession", "MemoryStore", "Maildir", "Transport", "TestSupport"]),
        .testTarget(name: "GateTests", dependencies: ["Gate", "Transport", "Authentication", "COpenSSL", "TestSupport"]),
        .testTarget(name: "AccountTests", dependencies: ["SystemAuthentication", "Privilege", "TestSupport"]),
        .testTarget(name: "IMAPServerTests", dependencies: ["IMAPServer", "MemoryStore", "TestSupport"]),
        .testTarget(name: "DaemonTests", dependencies: ["Daemon", "CLinux", "imapd", "escape", "TestSupport"]),
        .testTarget(name: "ControlTests",
                    dependencies: ["Control", "imapctl", "imapd", "Maildir", "SystemAuthentication", "TestSupport"],
                    resources: [.copy("Scripts")]),
        .testTarget(name: "ClientTests", dependencies: ["imapd", "IMAPGrammar", "TestSupport"], resources: [.copy("Scripts")]),
        // What whoever has taken over a role would try.
        .target(name: "CEscape", path: "Tests/CEscape"),
        .executableTarget(name: "escape", dependencies: ["Daemon", "Privilege", "Transport", "CLinux", "CEscape"], path: "Tests/Escape"),
        // A program that StoreTests start: it breaks its own system calls. No target depends on it, so that nothing else is
        // broken.
        .target(name: "CFaults", path: "Tests/CFaults"),
        .executableTarget(name: "FaultSubject", dependencies: ["Maildir", "CLinux", "CFaults"], path: "Tests/FaultSubject"),
        // Programs and daemons that tests start, messages that they read, and chance that can be repeated.
        .target(name: "TestSupport", dependencies: ["COpenSSL"], path: "Tests/TestSupport"),
    ],
    swiftLanguageModes: [.v6]
)

// With libFuzzer, which is not part of an ordinary build, or with what it has found: Tests/Fuzz/README.md.
let fuzzed: [Target.Dependency] = [
    "Daemon", "IMAPSession", "IMAPGrammar", "MailMessage", "Maildir", "MemoryStore", "Gate", "Transport", "Authentication",
]
if Context.environment["IMAPD_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(name: "fuzz", dependencies: fuzzed, path: "Tests/Fuzz", exclude: ["README.md", "CorpusTests.swift"]))
} else {
    package.targets.append(
        .testTarget(name: "FuzzTests", dependencies: fuzzed + ["TestSupport"], path: "Tests/Fuzz",
                    exclude: ["README.md", "Driver.swift"]))
}
