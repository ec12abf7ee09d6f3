"""A client that waits (RFC 2177) is told of what others do, among them who knows nothing of IMAP."""
import os
import re
from imap import check, deliver, from_arguments, literals, ok, same, sys

maildir = sys.argv[6]
new = from_arguments()
a, b = new(), new()


def told(pattern):
    """The first line that fits; waiting for it is what the socket's time-out bounds."""
    while True:
        line = a.readline()
        check(line, "the connection stays open")
        if re.search(pattern, line):
            return line


def idle():
    a.send(b"i IDLE\r\n")
    told(rb"^\+ ")


def done():
    a.send(b"DONE\r\n")
    told(rb"^i OK")


ok(a.append("INBOX", None, None, b"Subject: first\r\n\r\nfirst\r\n"))
ok(a.select())
ok(b.select())

# Before IDLE, and while waiting.
deliver(maildir, b"Subject: second\n\nsecond\n")
ok(a.noop())
same(a.response("EXISTS")[1][-1], b"2", "NOOP tells of a delivery")
idle()
deliver(maildir, b"Subject: third\n\nthird\n")
told(rb"^\* 3 EXISTS")
for number in range(4, 24):  # each alone
    deliver(maildir, b"Subject: %d\n\n%d\n" % (number, number))
    told(rb"^\* %d EXISTS" % number)
done()
same(literals(ok(a.fetch("3", "(BODY.PEEK[])"))), [b"Subject: third\r\n\r\nthird\r\n"], "what was delivered, with CRLF")
same(literals(ok(a.fetch("23", "(BODY.PEEK[TEXT])"))), [b"23\r\n"], "and the last")

# Another client's flags and expunges.
idle()
ok(b.store("1", "+FLAGS.SILENT", r"(\Flagged)"))
told(rb"^\* 1 FETCH .*\\Flagged")
ok(b.store("2", "+FLAGS.SILENT", r"(\Deleted)"))
ok(b.expunge())
told(rb"^\* 2 EXPUNGE")
done()

# A program that renames and deletes, as MUAs on the host do.
same(literals(ok(a.fetch("2", "(BODY.PEEK[TEXT])"))), [b"third\r\n"], "the third is the second now")
idle()


def file(text):
    for place in ("cur", "new"):
        for name in os.listdir(os.path.join(maildir, place)):
            path = os.path.join(maildir, place, name)
            with open(path, "rb") as opened:
                if text in opened.read():
                    return path
    raise AssertionError(f"a file with {text}")


path = file(b"\nthird\n")
os.rename(path, os.path.join(maildir, "cur", re.sub(":2,.*", "", os.path.basename(path)) + ":2,FRS"))
told(rb"^\* 2 FETCH .*\\Answered")
os.unlink(file(b"\nthird\n"))
told(rb"^\* 2 EXPUNGE")
done()
same(ok(a.search(None, "ALL"))[0].split()[-1], b"21", "21 are left")
a.logout()
b.logout()
print("idle")
