// Runs the script on a Maildir again and again, each time with something else going wrong, and looks what is left.
//
//     FaultSubject DIRECTORY counts                                how often each function is called
//     FaultSubject DIRECTORY sweep FAULT FIRST STRIDE [SEED]       something at call FIRST, FIRST + STRIDE, …
//     FaultSubject DIRECTORY random SEED [ROUNDS]                  what chance chooses; SEED + 1 in the second round, …
//     FaultSubject DIRECTORY damage FIRST STRIDE                   files of ours are cut, changed, deleted, or those of a backup
//     FaultSubject DIRECTORY taken-back                            the log cannot be synced, and was read already
//     FaultSubject DIRECTORY cases                                 several things go wrong in a certain order
//     FaultSubject DIRECTORY scale MESSAGES                        what a session's commands cost in a mailbox of so many
//     FaultSubject DIRECTORY list MAILBOXES                        what LIST with STATUS costs in an account of so many
//
// It prints a line for each problem and ends with 1 if there are any; the last line tells how many rounds there were.

import CFaults
import Glibc

let arguments = CommandLine.arguments
guard arguments.count >= 3 else {
    print("usage: FaultSubject DIRECTORY counts | sweep FAULT FIRST STRIDE [SEED] | random SEED [ROUNDS] | "
        + "damage FIRST STRIDE | taken-back | cases | scale MESSAGES | list MAILBOXES")
    exit(64)
}
if arguments.count == 4, let number = Int(arguments[3]), ["scale", "list"].contains(arguments[2]) {
    let scale = Scale(arguments[1])
    if arguments[2] == "scale" { try scale.messages(number) } else { try scale.mailboxes(number) }
    exit(0)
}
func status(_ isFine: Bool) -> Int32 { isFine ? 0 : 1 }
switch arguments[2] {
case "counts":
    Sweep(arguments[1]).printCounts()
case "sweep" where arguments.count >= 6:
    guard let fault = Fault(name: arguments[3]), let first = Int(arguments[4]), let stride = Int(arguments[5]), stride > 0 else {
        print("no such fault: \(arguments[3...])")
        exit(64)
    }
    let seed = arguments.count > 6 ? UInt64(arguments[6]) ?? 0 : 0
    exit(status(Sweep(arguments[1]).run(fault, from: first, by: stride, seed: seed)))
case "random" where arguments.count >= 4:
    guard let seed = UInt64(arguments[3]), let count = arguments.count > 4 ? Int(arguments[4]) : 1 else {
        print("no numbers: \(arguments[3...])")
        exit(64)
    }
    exit(status(RandomRounds(arguments[1]).run(from: seed, count)))
case "damage" where arguments.count >= 5:
    guard let first = Int(arguments[3]), first > 0, let stride = Int(arguments[4]), stride > 0 else {
        print("no numbers: \(arguments[3...])")
        exit(64)
    }
    exit(status(DamageRounds(arguments[1]).run(from: first, by: stride)))
case "taken-back":
    exit(status(TakenBackRounds(arguments[1]).run()))
case "cases":
    exit(status(CaseRounds(arguments[1]).run()))
default:
    print("unknown: \(arguments[2])")
    exit(64)
}
