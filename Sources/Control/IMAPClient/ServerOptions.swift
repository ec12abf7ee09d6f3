import ArgumentParser
import Authentication
import CLinux
import Glibc
import Transport

/// Another server, and how it is reached.
struct ServerOptions: ParsableArguments {
    enum Protection: String, ExpressibleByArgument, CaseIterable {
        case implicit, starttls, none
    }

    @Option(help: ArgumentHelp("The user's name there; by default that of --user.", valueName: "name"))
    var login: String?

    @Option(help: ArgumentHelp(
        "The first line is the password there; - is standard input. Without it, the terminal is asked.", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("implicit, starttls or none: then the password can be read on the way.", valueName: "how"))
    var tls = Protection.implicit

    @Option(help: ArgumentHelp("By default 993, or 143 without implicit TLS.", valueName: "number"))
    var port: UInt16?

    @Option(help: ArgumentHelp(
        "Trust these certificates (PEM) and no others, be it the server's own.", valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp(
        "The name that the server's certificate is for, if it is not that of the host.", valueName: "name"))
    var tlsName: String?

    @Option(help: ArgumentHelp(
        "Speak with this program instead of a host: a shell command whose input and output are IMAP.", valueName: "command"))
    var command: String?

    /// Read before root becomes somebody else.
    func password(_ host: String) throws(ControlFailure) -> Secret? {
        if command != nil, passwordFile == nil, login == nil { return nil }
        guard let passwordFile, passwordFile != "-" else { return try PasswordPrompt.readOnce("Password at \(host): ") }
        let descriptor = open(passwordFile, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ControlFailure("\(passwordFile): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        return try PasswordPrompt.check(PasswordPrompt.line(descriptor))
    }

    /// As `password`: afterwards the files may be out of reach.
    func tlsContext(_ host: String) throws(ControlFailure) -> (context: TLSClientContext, isImplicit: Bool)? {
        if command != nil || tls == .none { return nil }
        do throws(TLSContextError) {
            return (try TLSClientContext(name: tlsName ?? host, authorities: caFile), tls == .implicit)
        } catch {
            throw ControlFailure(error.problems.joined(separator: "; "))
        }
    }

    func connect(_ host: String) throws(ControlFailure) -> Connection {
        if let command { return try Self.run(command) }
        let port = port ?? (tls == .implicit ? 993 : 143)
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, "\(port)", &hints, &list)
        guard result == 0 else { throw ControlFailure("\(host): \(String(cString: gai_strerror(result)))") }
        defer { freeaddrinfo(list) }
        var problem: Int32 = 0
        var next = list
        while let address = next?.pointee {
            next = address.ai_next
            let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
            guard descriptor >= 0 else { continue }
            if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return Connection(descriptor: descriptor) }
            problem = errno
            close(descriptor)
        }
        throw ControlFailure("\(host), port \(port): \(String(cString: strerror(problem)))")
    }

    private static func run(_ command: String) throws(ControlFailure) -> Connection {
        func problem() -> ControlFailure { ControlFailure("\(command): \(String(cString: strerror(errno)))") }
        var ends: [Int32] = [-1, -1]
        guard clinux_stream_pair(&ends) == 0 else { throw problem() }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        let line: [String] = ["sh", "-c", command]
        var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, "/bin/sh", &actions, nil, words, environ)
        guard result == 0 else {
            close(ends[0])
            errno = result
            throw problem()
        }
        return Connection(descriptor: ends[0])
    }
}
