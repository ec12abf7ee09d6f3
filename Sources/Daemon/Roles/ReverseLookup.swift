import Glibc
import Logging
import Privilege
import Transport

/// Tells the log what name services call a client. Nobody waits for it: name servers may take their time.
///
/// It is asked in a process of its own, with the rights of a gate, that nobody waits for either: it is not our child but our
/// child's, so that it becomes the listener's when that ends.
func tellName(of peer: PeerAddress, _ household: Household, _ logger: Logger) {
    let child = fork()
    if child == 0 {
        guard fork() == 0 else { _exit(0) }
        closeAll(but: household.logDescriptors)
        becomeForGood(household.gateAccount)
        ProcessTitle.set("look-up")
        alarm(60)
        if let name = peer.lookUpName() {
            logger.info("name", metadata: ["name": "\(name.name)", "confirmed": name.isConfirmed ? "yes" : "no"])
        }
        _exit(0)
    }
    if child > 0 { _ = ProcessEnd(waitingFor: child) }
}
