"""Does something to messages: in a mailbox, what ("delete", or a STORE's item and flags), and to which UIDs."""
from imap import from_arguments, ok, separator, sys

c = from_arguments()()
mailbox, what, uids = sys.argv[6:]
ok(c.select('"%s"' % mailbox.replace("/", separator(c))))
if what == "delete":
    ok(c.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)"))
    ok(c.expunge())
else:
    ok(c.uid("STORE", uids, *what.split(" ", 1)))
c.logout()
