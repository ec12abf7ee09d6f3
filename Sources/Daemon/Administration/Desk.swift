import Glibc
import SystemPackage
import Transport

/// A process that answers one request.
struct Answerer {
    let kind: Door.Kind
    var line: Line?
    /// Whether it has said what it wants; nobody wants anything twice.
    var hasWished = false
    var wantsStop = false
}

/// Where administrators and collectors of metrics come in, and the processes that answer them.
struct Desk {
    let doors: [Door]
    private var lines: Lines
    private(set) var answerers: [pid_t: Answerer] = [:]
    /// Whoever can connect can ask for metrics; what they cost all others is bounded.
    private var allowance = 20.0
    private var refilled = ContinuousClock.now

    /// At one time, of each kind.
    private static let most = 4
    /// In a second, on average, and at once after some rest.
    private static let rate = 10.0, burst = 20.0

    init(_ doors: [Door], watchSet: Int32) {
        self.doors = doors
        lines = Lines(watchSet: watchSet)
    }

    func door(_ descriptor: Int32) -> Door? { doors.first { $0.descriptor == descriptor } }

    func process(ofLine descriptor: Int32) -> pid_t? { lines.process(of: descriptor) }

    /// Whether one more may be forked now.
    mutating func hasRoom(for kind: Door.Kind) -> Bool {
        guard answerers.values.count(where: { $0.kind == kind }) < Self.most else { return false }
        guard kind == .metrics else { return true }
        let (seconds, attoseconds) = (ContinuousClock.now - refilled).components
        refilled = .now
        allowance = min(Self.burst, allowance + (Double(seconds) + Double(attoseconds) / 1e18) * Self.rate)
        guard allowance >= 1 else { return false }
        allowance -= 1
        return true
    }

    mutating func add(_ process: pid_t, _ kind: Door.Kind, _ line: Line) {
        let isHeard = lines.add(line, of: process)
        // It hears nothing, and says so.
        if !isHeard { close(line.descriptor) }
        answerers[process] = Answerer(kind: kind, line: isHeard ? line : nil)
    }

    /// One that a predecessor has forked.
    mutating func adopt(_ process: pid_t, _ kind: Door.Kind, _ line: Line?, hasWished: Bool) {
        if let line { add(process, kind, line) } else { answerers[process] = Answerer(kind: kind, line: nil) }
        answerers[process]?.hasWished = hasWished
    }

    /// What an answerer wants; `.nonsense` too if it must not want anything.
    mutating func hear(_ process: pid_t) -> Line.Heard<Wish> {
        guard let answerer = answerers[process], let line = answerer.line else { return .nothing }
        let heard = line.hear(Wish.self)
        guard case .message(let wish, _) = heard else { return heard }
        guard answerer.kind == .control, !answerer.hasWished else { return .nonsense }
        answerers[process]?.hasWished = true
        answerers[process]?.wantsStop = wish == .stop
        return heard
    }

    mutating func dismiss(_ process: pid_t) {
        guard let line = answerers[process]?.line else { return }
        answerers[process]?.line = nil
        lines.close(line)
    }

    /// It has ended, and is reaped.
    mutating func remove(_ process: pid_t) {
        dismiss(process)
        answerers[process] = nil
    }
}
