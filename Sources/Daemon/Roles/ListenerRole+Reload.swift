import CLinux
import Glibc
import Logging
import Privilege
import SystemAuthentication
import Transport

/// Settings and certificates change while connections last: what is new is for those to come.
extension ListenerRole {
    /// Reads everything again (SIGHUP). If anything is wrong, nothing changes, and all of it is told.
    ///
    /// - Returns: what is wrong.
    mutating func reload() -> [String] {
        household.manager.reloading()
        defer { household.manager.ready(status: status) }
        let preparation: Preparation
        do throws(StartErrors) {
            let (settings, errors) = SettingsReader.read(household.settings.arguments, after: household.settings)
            preparation = try Preparation(settings, after: errors, reusing: household.bound, and: nil)
        } catch {
            for error in error.errors {
                logger.error("the settings stay as they were", metadata: ["problem": "\(error.line)"])
            }
            tallies.failedReloads += 1
            return error.errors.map(\.line)
        }
        let before = household.listeners
        exchange(before, for: preparation.listeners)
        clinux_seal_heap()
        household = Household(preparation, after: household)
        admission.change(household.settings.admission)
        clinux_seal_heap()
        keepers.renew(household)
        keepers.hire(household)
        // Those that wait know the old ones.
        renewSpares()
        watch(preparation.certificates)
        logger.notice("settings read again")
        for name in preparation.settings.pending {
            logger.warning("a setting changes when imapd is started again", metadata: ["setting": "\(name)"])
        }
        announce(preparation, but: before)
        tallies.reloads += 1
        return []
    }

    /// New listeners are waited for; those that are no longer wanted refuse clients, whoever else holds them.
    private func exchange(_ old: [Listener], for new: [Listener]) {
        for listener in old where !new.contains(where: { $0 === listener }) {
            clinux_watch_remove(watchSet, listener.descriptor)
            leave(listener)
        }
        for listener in new where !old.contains(where: { $0 === listener }) {
            must(clinux_watch_add(watchSet, listener.descriptor), "epoll")
        }
    }

    func leave(_ listener: Listener) {
        shutdown(listener.descriptor, Int32(SHUT_RDWR))
        logger.notice("no longer listening", metadata: ["address": "\(listener.address)"])
    }

    // MARK: - Certificates

    mutating func watch(_ files: FileWatch) {
        certificates = files
        planWarnings()
    }

    /// Renewed files are read by themselves, before the next connection is served.
    mutating func renewCertificatesIfChanged() {
        guard certificates.hasChanged() else { return }
        do throws(TLSContextError) {
            household.tls = try household.settings.makeTLS()
            clinux_seal_heap()
            renewSpares()
            logger.notice("certificates read again")
            for warning in household.tls?.warnings ?? [] { logger.warning("\(warning)") }
            planWarnings()
        } catch {
            for problem in error.problems {
                logger.error("the certificates stay as they were", metadata: ["problem": "\(problem)"])
            }
        }
    }

    /// The end of a certificate is told some days ahead, once for each of `CertificateValidity.warningDays`.
    mutating func tellOfCertificates() {
        guard warningDue.milliseconds == 0 else { return }
        renewCertificatesIfChanged()
        let now = time(nil)
        for validity in household.tls?.validities ?? [] {
            guard let due = validity.nextWarning(after: warnedUntil), due <= now, let warning = validity.warning(at: now) else {
                continue
            }
            logger.warning("\(warning)")
        }
        planWarnings()
    }

    /// Looks once in a while at the least: the machine's clock may be set.
    private mutating func planWarnings() {
        let now = time(nil)
        warnedUntil = now
        guard let tls = household.tls else {
            warningDue = Deadline(after: nil)
            return
        }
        let next = tls.validities.compactMap { $0.nextWarning(after: now) }.min() ?? .max
        warningDue = Deadline(after: .seconds(min(max(next - now, 1), 6 * 3600)))
    }

    // MARK: - The service manager

    /// For `systemctl status`.
    var status: String {
        children.servingCount == 1 ? "1 connection" : "\(children.servingCount) connections"
    }

    mutating func tellManager() {
        guard watchdogDue.milliseconds == 0 else { return }
        household.manager.alive(status: status)
        watchdogDue = Deadline(after: household.manager.watchdogInterval)
    }
}
