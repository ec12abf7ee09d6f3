import Glibc

/// Whether we may have mounts and a network of our own, which root of a container mostly may not.
public let hasNameSpaces = geteuid() == 0 && system("unshare --mount --net true 2>/dev/null") == 0
