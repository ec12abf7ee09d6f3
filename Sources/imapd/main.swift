import Daemon
import Glibc

exit(Daemon.main(CommandLine.arguments).rawValue)
