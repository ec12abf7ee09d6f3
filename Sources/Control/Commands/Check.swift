import ArgumentParser
import Glibc
import IMAPTypes
import MailStore
import Maildir

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says what is wrong with a Maildir, and repairs what can be repaired.",
        discussion: """
            Without --fix nothing is changed. Exit status: 0 if nothing is wrong (any more), 1 if something is, \
            2 if it could not be found out.
            """)

    @OptionGroup var options: AccountOptions
    @OptionGroup var output: OutputOptions

    @Flag(help: "Repair what can be repaired without losing anything, and say what was done.")
    var fix = false

    @Flag(help: "Every user who has a Maildir. Needs root.")
    var all = false

    @Flag(help: "Do not read the messages: their sizes are not checked.")
    var fast = false

    func validate() throws { try options.validate(all: all) }

    func run() throws {
        if all {
            throw try EveryUser(options: options).run("check", (fix ? ["--fix"] : []) + (fast ? ["--fast"] : []), output)
        }
        try command { () throws(ControlFailure) in try check() ? Outcome.clean : Outcome.problems }
    }

    /// Whether nothing is wrong.
    private func check() throws(ControlFailure) -> Bool {
        let place = try options.enter()
        var findings = try find(place)
        var fixed: [Finding] = []
        if fix, findings.contains(where: { MaildirStore.canFix($0.kind) }) {
            let before = findings
            try repair(before, place)
            findings = try find(place)
            fixed = before.filter { old in !findings.contains { $0.kind == old.kind && $0.mailbox == old.mailbox } }
        }
        tell(findings, fixed, place)
        return findings.allSatisfy(\.isNote)
    }

    private func find(_ place: Place) throws(ControlFailure) -> [Finding] {
        let inspection = try place.inspect()
        do throws(StoreError) {
            var findings = try inspection.check()
            try inspection.forEachMailbox { mailbox in
                let bar = Progress(mailbox.name.string, total: mailbox.messages, quiet: output.quiet)
                findings += mailbox.check(readsMessages: !fast) { bar.advance() }
            }
            return findings
        } catch {
            throw ControlFailure(error)
        }
    }

    private func repair(_ findings: [Finding], _ place: Place) throws(ControlFailure) {
        if findings.contains(where: { $0.kind == .wrongMode || $0.kind == .writableByOthers }) {
            MaildirStore.fixRights(in: place.opened)
        }
        let store = try place.open()
        for finding in findings where finding.mailbox == nil {
            do throws(StoreError) { _ = try store.fixAccount(finding.kind) } catch { Output.error(ControlFailure.words(error)) }
        }
        var kinds: [MailboxName: Set<Finding.Kind>] = [:]
        for finding in findings where MaildirStore.canFix(finding.kind) {
            if let mailbox = finding.mailbox { kinds[mailbox, default: []].insert(finding.kind) }
        }
        for (mailbox, kinds) in kinds.sorted(by: { $0.key.string < $1.key.string }) {
            do throws(StoreError) {
                _ = try store.fix(kinds, in: mailbox)
            } catch {
                Output.error("\(mailbox.string): \(ControlFailure.words(error))")
            }
        }
    }

    // MARK: Telling

    private func tell(_ findings: [Finding], _ fixed: [Finding], _ place: Place) {
        if output.json {
            let told = findings.map { $0.json(fixed: fix ? false : nil) } + fixed.map { $0.json(fixed: true) }
            return Output.line(JSON.object([
                ("user", JSON(place.user)), ("maildir", .string(place.path)), ("clean", .bool(findings.allSatisfy(\.isNote))),
                ("findings", .array(told)),
            ]).text)
        }
        for finding in fixed { Output.line("repaired: \(finding.line)") }
        for finding in findings where !finding.isNote {
            let isOpen = !fix && MaildirStore.canFix(finding.kind)
            Output.line("problem: \(finding.line)" + (isOpen ? "; --fix repairs it" : ""))
        }
        if output.quiet { return }
        for finding in findings where finding.isNote { Output.line("note: \(finding.line)") }
        if findings.allSatisfy(\.isNote) { Output.line("\(Output.safe(place.path)): nothing is wrong") }
    }
}
