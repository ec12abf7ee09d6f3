// What somebody who has taken over a role of imapd could do, tried for real.
//
//     escape gate|session all|second USER OTHER'S-MAIL KEY
//
// enters the role as imapd does, in a process of its own for each attempt, and tells what became of it, a line each:
// "done", the error, or the signal that ended it. `second` leaves out the filters of system calls, to try what is behind them.
//
//     escape lacking CALL[,CALL...] PROGRAM ARGUMENT...
//
// runs a program on a kernel that does not know some system calls.
//
//     escape contend
//
// has two threads of a forked process wait for each other.
import Daemon
import Glibc

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "lacking" where arguments.count >= 4:
    runWithout(arguments[2].split(separator: ",").compactMap { Int32($0) }, Array(arguments[3...]))
case "contend": runContention()
case let role? where arguments.count == 6:
    guard let scene = Scene(role, walls: arguments[2], user: arguments[3], mail: arguments[4], key: arguments[5]) else { exit(64) }
    scene.play()
default: exit(64)
}
