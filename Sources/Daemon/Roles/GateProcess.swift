import CLinux
import Glibc
import Logging
import SystemPackage
import Transport

/// A gate as its monitor sees it: a child, and the channel to it.
struct GateProcess {
    let pid: pid_t
    let channel: Connection

    init(pid: pid_t, channel: Connection) {
        self.pid = pid
        self.channel = channel
    }

    /// Forks a gate, which waits for its client. Ends this process if that cannot be: the listener sees that.
    ///
    /// - Parameter page: its parent's, which is none of its business.
    init(_ household: Household, _ page: SessionPage.Memory?) {
        let ends: (first: Int32, second: Int32)
        do throws(Errno) {
            ends = try Descriptor.streamPair().release()
        } catch {
            household.logger.error("no resources for a connection", metadata: ["error": "\(error)"])
            _exit(0)
        }
        let monitor = getpid()
        pid = clinux_fork()
        switch pid {
        case 0:
            SessionPage.drop(page)
            runGate(channel: ends.second, monitor: monitor, household)
        case -1:
            household.logger.error("no resources for a gate", metadata: ["error": "\(Errno(rawValue: errno))"])
            _exit(0)
        default: close(ends.second)
        }
        channel = Connection(descriptor: ends.first, shutdown: household.signals.end)
    }

    /// Whether one that has handed over, and was not waited for, is still there. If not, it is reaped.
    var lingers: Bool { waitpid(pid, nil, WNOHANG) == 0 }

    /// Waits for the end of a gate that is alone: it says goodbye to its client first. Then there is nothing left to do.
    func end(atMost time: Duration, _ line: Line, _ logger: Logger) -> Never {
        shutdown(channel.descriptor, Int32(SHUT_RDWR))
        switch ProcessEnd(waitingFor: pid, atMost: time) {
        case .exited(0): break
        case .exited(let status):
            logger.critical("gate failed", metadata: ["process": "\(pid)", "status": "\(status)"])
        case .killed(let signal):
            logger.critical("gate crashed", metadata: ["process": "\(pid)", "signal": "\(ProcessEnd.name(of: signal))"])
            _ = line.say(Report.crashed(signal: signal))
        case nil:
            logger.error("gate does not end")
            kill(pid, SIGKILL)
        }
        _exit(0)
    }
}
