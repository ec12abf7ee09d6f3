// imapd-benchmark: does one thing a number of times, for valgrind(1) to count its instructions. `Tests/Benchmarks/run` is for people.
import Glibc

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "list" where arguments.count == 2:
    for work in Work.all { print(work.name, work.rounds, work.units, work.unit) }
case "prepare" where arguments.count == 3:
    try Sample.prepare(in: arguments[2])
case "run" where arguments.count == 5:
    guard let work = Work.all.first(where: { $0.name == arguments[3] }), let rounds = Int(arguments[4]) else { fallthrough }
    try work.run(arguments[2], rounds)
default:
    print("usage: imapd-benchmark list | prepare DIRECTORY | run DIRECTORY NAME ROUNDS")
    exit(64)
}
