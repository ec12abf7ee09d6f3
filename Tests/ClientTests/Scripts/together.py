"""Several clients in one mailbox, each told what the others do when it may be told."""
import threading
from imap import check, from_arguments, literals, ok, same


def message(number):
    return b"From: me@example.org\r\nSubject: %d\r\n\r\nmessage %d\r\n" % (number, number)


new = from_arguments()
a, b = new(), new()
ok(a.create("Shared"))
for number in range(1, 6):
    ok(a.append("Shared", None, None, message(number)))
same(ok(a.select("Shared")), [b"5"], "one sees five")
same(ok(b.select("Shared")), [b"5"], "the other, too")

# Flags.
ok(a.store("2", "+FLAGS", r"(\Flagged keyword)"))
ok(b.noop())
check(any(b"\\Flagged" in line and b"keyword" in line for line in b.response("FETCH")[1]), "NOOP tells of flags")

# Arrivals.
ok(b.append("Shared", None, None, message(6)))
ok(a.noop())
check(b"6" in (a.response("EXISTS")[1] or []), "NOOP tells of an arrival")

# Departures: not during FETCH, STORE or SEARCH (RFC 9051 §7.5.1), and until told the numbers stay as they were.
ok(a.noop())
ok(b.noop())
a.response("EXPUNGE"), b.response("EXPUNGE")
ok(a.store("3", "+FLAGS.SILENT", r"(\Deleted)"))
same(ok(a.expunge()), [b"3"], "EXPUNGE tells the one who asked")
same(literals(ok(b.fetch("4", "(BODY.PEEK[TEXT])"))), [b"message 4\r\n"], "FETCH counts as before")
same(literals(ok(b.fetch("3", "(BODY.PEEK[TEXT])"))), [b"message 3\r\n"], "what has gone can still be fetched")
ok(b.store("4", "+FLAGS.SILENT", r"(\Seen)"))
ok(b.search(None, "ALL"))
same(b.response("EXPUNGE")[1], [None], "no EXPUNGE until now")
ok(b.noop())
same(b.response("EXPUNGE")[1], [b"3"], "NOOP tells of a departure")
same(literals(ok(b.fetch("3", "(BODY.PEEK[TEXT])"))), [b"message 4\r\n"], "and the numbers move up")
check(b"\\Seen" in ok(a.fetch("3", "(FLAGS)"))[0], "the flag is where it belongs")

# All at once: who appends, who moves away, who marks; nothing is lost or doubled.
ok(a.create("Elsewhere"))
failures = []


def client(work):
    try:
        c = new()
        work(c)
        c.logout()
    except BaseException as failure:
        failures.append(failure)
        raise


def append(c):
    for number in range(100, 150):
        ok(c.append("Shared", None, None, message(number)))


def move(c):
    moved = 0
    while moved < 20:
        ok(c.select("Shared"))
        uids = ok(c.uid("SEARCH", "UNDELETED", "SUBJECT", '"1"'))[0].split()[:5]
        if not uids:
            continue
        ok(c.uid("MOVE", b",".join(uids).decode(), "Elsewhere"))
        moved += len(uids)


def mark(c):
    ok(c.select("Shared"))
    for _ in range(20):
        ok(c.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Answered)"))
        ok(c.noop())


threads = [threading.Thread(target=client, args=[work]) for work in (append, append, move, mark, mark)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
check(not failures, "nobody failed", failures)

found = []
for mailbox in ("Shared", "Elsewhere"):
    ok(a.select(mailbox))
    found += [int(text.split()[1]) for text in literals(ok(a.fetch("1:*", "(BODY.PEEK[TEXT])")))]
same(sorted(found), sorted([1, 2, 4, 5, 6] + 2 * list(range(100, 150))), "every message once")
a.logout()
b.logout()
print("together")
