import Glibc
import Logging
import SystemPackage
import Transport

/// The listener's view of the processes that fork authenticators (`runKeeper`): the one whom monitors to come ask, and earlier
/// ones that are still asked by monitors of their time.
struct Keepers {
    /// Where questions are heard, and who hears them.
    private struct Post {
        /// Open here, too, so that a keeper that has died can be replaced, and nobody who asks notices: what was asked waits there.
        let listening: Int32
        var process: pid_t?
        /// When one is forked; never, while there is one.
        var due = Deadline(after: .zero)
        /// No other one is forked before: one that dies at once would do so again.
        var truce = Deadline(after: .zero)

        /// Whether somebody is left who could ask. The end to ask at of the present post is open here, too.
        var isAsked: Bool {
            var polled = pollfd(fd: listening, events: 0, revents: 0)
            return poll(&polled, 1, 0) == 0
        }
    }

    /// The last one is the present one.
    private var posts: [Post] = []

    private static let trucePeriod: Duration = .seconds(1)
    /// How long they have for their end when nobody is left who could ask.
    private static let patience: Duration = .seconds(2)

    /// When each is to be forked.
    var dues: [Deadline] { posts.map(\.due) }

    /// Has children to come ask somebody who knows what has changed.
    mutating func renew(_ household: Household) {
        retire(household)
        do throws(Errno) {
            let (asking, listening) = try QuestionSocket.pair()
            household.keeper = asking
            posts.append(Post(listening: listening))
        } catch {
            household.logger.error("nobody can log in", metadata: ["error": "\(error)"])
        }
    }

    /// Forks those that are due.
    mutating func hire(_ household: Household) {
        for index in posts.indices.reversed() where posts[index].due.milliseconds == 0 {
            guard posts[index].isAsked else {
                close(posts.remove(at: index).listening)
                continue
            }
            let child = fork()
            if child == 0 { runKeeper(posts[index].listening, household) }
            let error = Errno(rawValue: errno)
            guard child > 0 else {
                household.logger.error("no process can be forked", metadata: ["error": "\(error)"])
                posts[index].due = Deadline(after: Self.trucePeriod)
                continue
            }
            posts[index].process = child
            posts[index].due = Deadline(after: nil)
            posts[index].truce = Deadline(after: Self.trucePeriod)
        }
    }

    /// A process has ended. Returns whether it was a keeper.
    mutating func remove(_ ended: pid_t) -> Bool {
        guard let index = posts.firstIndex(where: { $0.process == ended }) else { return false }
        posts[index].process = nil
        posts[index].due = posts[index].truce
        return true
    }

    /// Nobody else is left who could ask.
    mutating func end(_ household: Household) {
        retire(household)
        for post in posts {
            close(post.listening)
            guard let process = post.process, ProcessEnd(waitingFor: process, atMost: Self.patience) == nil else { continue }
            kill(process, SIGKILL)
            _ = ProcessEnd(waitingFor: process)
        }
        posts = []
    }

    /// Those who ask already may go on; when the last of them is gone, the keeper ends.
    private func retire(_ household: Household) {
        if household.keeper.descriptor >= 0 { close(household.keeper.descriptor) }
        household.keeper = .none
    }

    // MARK: - Succession

    /// Where monitors of a predecessor ask, and who answers them.
    var legacy: [Estate.Keeper] { posts.map { Estate.Keeper(process: $0.process, listening: $0.listening) } }

    /// Goes on with those of a predecessor: they are asked by whoever has a client already.
    mutating func adopt(_ legacy: [Estate.Keeper]) {
        posts.insert(
            contentsOf: legacy.map { keeper in
                Post(listening: keeper.listening, process: keeper.process,
                     due: keeper.process == nil ? Deadline(after: .zero) : Deadline(after: nil))
            }, at: 0)
    }
}
