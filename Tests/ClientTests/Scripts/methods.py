"""Every method of imaplib.IMAP4 that a server answers, one after the other."""
import hashlib
import imaplib
import os
import re
import time
from imap import check, connect, context, from_arguments, literals, no, ok, same, separator, sys

new = from_arguments()
how, port, authority, user, password = sys.argv[1:6]

# Before login.
c = connect(how == "tls", port, authority)
check("IMAP4REV1" in c.capabilities and "IMAP4REV2" in c.capabilities, "both versions", c.capabilities)
check(b"IMAP4rev2" in c.capability()[1][0], "CAPABILITY", c.capability())
ok(c.noop())
try:
    c.login(user, "not " + password)
    raise AssertionError("a wrong password was accepted")
except imaplib.IMAP4.error as error:
    check("AUTHENTICATIONFAILED" in str(error), "RFC 5530's code", error)
ok(c.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode()))
same(c.state, "AUTH", "the state after AUTHENTICATE PLAIN")
same(c.logout()[0], "BYE", "LOGOUT")
c = connect(how == "tls", port, authority)
prompts = iter([user.encode(), password.encode()])
ok(c.authenticate("LOGIN", lambda _: next(prompts)))
c.logout()

# Mailboxes.
c = new()
check(c.namespace()[1][0].startswith(b'((""'), "an empty personal prefix", c.namespace())
between = separator(c)
inner = f"Work{between}Projects"
for name in ["Work", inner, "Saved", '"Sent items"', '"&AMQ-pfel und &AN8-"']:
    ok(c.create(name))
no(c.create("Work"), "ALREADYEXISTS")
no(c.create("INBOX"))
listed = b"\n".join(ok(c.list()))
for name in [b"INBOX", b"Work", inner.encode(), b"Saved", b'"Sent items"', b'"&AMQ-pfel und &AN8-"']:
    check(re.search(rb' "?' + re.escape(name.strip(b'"')) + rb'"?$', listed, re.M), f"{name} is listed", listed)
check(len(ok(c.list('""', "%"))) == 5, "five at the top", c.list('""', "%"))
check(len(ok(c.list("Work", "*"))) == 2, "two that begin with Work", c.list("Work", "*"))
same(ok(c.list("nowhere", "*")), [None], "an empty list")
ok(c.subscribe("Work"))
ok(c.subscribe('"Sent items"'))
check(len(ok(c.lsub())) == 2, "LSUB", c.lsub())
ok(c.unsubscribe("Work"))
check(b"Sent items" in ok(c.lsub())[0], "UNSUBSCRIBE", c.lsub())
ok(c.rename("Work", "Jobs"))
check(ok(c.list('""', f"Jobs{between}*"))[0].endswith(f"Jobs{between}Projects".encode()), "RENAME takes children along",
      c.list())
ok(c.delete(f"Jobs{between}Projects"))
ok(c.delete("Jobs"))
no(c.delete("Jobs"), "NONEXISTENT")
no(c.delete("INBOX"))
no(c.select("nowhere"), "NONEXISTENT")

# Messages in.
simple = b"From: Ada <ada@example.org>\r\nTo: me@example.org\r\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n" \
         b"Date: Tue, 14 Nov 2023 10:00:00 +0100\r\nMessage-ID: <one@example.org>\r\n" \
         b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" \
         b"Viele Gr\xc3\xbc\xc3\x9fe\r\nvon Ada\r\n"
parts = b"From: Bob <bob@example.org>\r\nSubject: parts\r\nDate: Wed, 15 Nov 2023 10:00:00 +0000\r\nMIME-Version: 1.0\r\n" \
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n" \
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n"
body = os.urandom(2_600_000).hex().encode()
large = b"From: Eve <eve@example.org>\r\nSubject: large\r\n\r\n" + \
        b"\r\n".join(body[at:at + 76] for at in range(0, len(body), 76)) + b"\r\n"
check(len(large) > 5_000_000, "five megabytes", len(large))
when = imaplib.Time2Internaldate(1_700_000_000)
uids = []
for message, flags, date in [(simple, r"(\Seen)", when), (parts, None, when), (large, r"(\Flagged keyword)", None)]:
    code = ok(c.append("INBOX", flags, date, message))[-1]
    uids.append(int(re.search(rb"APPENDUID \d+ (\d+)", code)[1]))
same(uids, sorted(uids), "ascending UIDs")
no(c.append("nowhere", None, None, simple), "TRYCREATE")

# A mailbox.
same(ok(c.select()), [b"3"], "SELECT says how many")
check(int(c.untagged_responses["UIDVALIDITY"][0]) > 0, "UIDVALIDITY")
check(int(c.untagged_responses["UIDNEXT"][0]) > uids[-1], "UIDNEXT")
check(b"\\*" in c.untagged_responses["PERMANENTFLAGS"][0], "keywords can be made", c.untagged_responses)
check("RECENT" in c.untagged_responses, "RECENT", c.untagged_responses)
ok(c.check())
ok(c.recent())
status = ok(c.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)"))[0]
check(b"MESSAGES 3" in status and b"UNSEEN 2" in status, "STATUS", status)

# Messages out.
same(literals(ok(c.fetch("1", "(BODY.PEEK[])"))), [simple], "the bytes that came in")
same(hashlib.sha256(literals(ok(c.fetch("3", "(BODY.PEEK[])")))[0]).hexdigest(), hashlib.sha256(large).hexdigest(),
     "five megabytes that came in")
same(literals(ok(c.fetch("3", "(BODY.PEEK[]<1000000.5000>)"))), [large[1_000_000:1_005_000]], "a part from within")
same(literals(ok(c.fetch("3", f"(BODY.PEEK[]<{len(large) - 10}.5000>)"))), [large[-10:]], "a part across the end")
header, text = simple.split(b"\r\n\r\n", 1)
same(literals(ok(c.fetch("1", "(RFC822.HEADER RFC822.TEXT)"))), [header + b"\r\n\r\n", text], "RFC822.*")
same(literals(ok(c.fetch("1", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))), [b"Message-ID: <one@example.org>\r\n\r\n"],
     "HEADER.FIELDS")
same(literals(ok(c.fetch("1", "(BODY.PEEK[HEADER.FIELDS.NOT (FROM TO SUBJECT DATE MIME-VERSION CONTENT-TYPE "
                              "CONTENT-TRANSFER-ENCODING)])"))), [b"Message-ID: <one@example.org>\r\n\r\n"], "HEADER.FIELDS.NOT")
answer = b"".join(b"".join(part) if isinstance(part, tuple) else part
                  for part in ok(c.fetch("2", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[1])")))
for wanted in [f"UID {uids[1]}".encode(), f"RFC822.SIZE {len(parts)}".encode(), b'"parts"', b'(("Bob" NIL "bob" "example.org"))',
               b'"MIXED"', b'"OCTET-STREAM"', b'"BASE64" 8']:
    check(wanted.upper() in answer.upper(), f"FETCH has {wanted}", answer)
same(time.mktime(imaplib.Internaldate2tuple(answer)), 1_700_000_000, "INTERNALDATE")
check(b"\\Seen" not in answer, "peeking does not mark", answer)
same(literals(ok(c.fetch("2", "(BINARY.PEEK[2])"))), [b"\0\1\2\3"], "BINARY decodes")
check(b"\\Seen" in ok(c.fetch("2", "(BODY[TEXT] FLAGS)"))[-1] + ok(c.fetch("2", "(FLAGS)"))[0], "reading marks")
for macro in ["ALL", "FULL", "FAST"]:
    check(len(ok(c.fetch("1:*", macro))) >= 3, macro)
check(len(ok(c.uid("FETCH", f"{uids[0]}:{uids[-1]}", "(FLAGS)"))) == 3, "UID FETCH")
same(ok(c.uid("FETCH", "4000000000", "(FLAGS)")), [None], "UID FETCH of what is not there")

# Search.
for query, wanted in {"ALL": b"1 2 3", "FLAGGED": b"3", "KEYWORD keyword": b"3", "UNKEYWORD keyword": b"1 2", 'FROM "bob"': b"2",
                      "LARGER 5000000": b"3", "SENTSINCE 15-Nov-2023": b"2", "BEFORE 1-Jan-2024": b"1 2", "NOT 2:*": b"1",
                      'OR SUBJECT "parts" SUBJECT "large"': b"2 3", 'HEADER Message-ID "one@"': b"1", 'TEXT "von ada"': b"1",
                      'BODY "first"': b"2", f"UID {uids[1]}": b"2", "DELETED": b""}.items():
    same(ok(c.search(None, query))[0] or b"", wanted, f"SEARCH {query}")
c.literal = "Grüße".encode()
same(ok(c.search("UTF-8", "SUBJECT")), [b"1"], "SEARCH in UTF-8, in an encoded header")
same(ok(c.search("US-ASCII", 'SUBJECT "large"')), [b"3"], "SEARCH in US-ASCII")
no(c.search("X-UNKNOWN", "ALL"))
same(ok(c.uid("SEARCH", "ALL")), [" ".join(map(str, uids)).encode()], "UID SEARCH")

# Flags.
check(b"\\Answered" in ok(c.store("1", "+FLAGS", r"(\Answered)"))[0], "STORE answers")
same(ok(c.store("1", "-FLAGS.SILENT", r"(\Answered)")), [None], "STORE .SILENT does not")
check(b"Later" in ok(c.uid("STORE", str(uids[0]), "FLAGS", r"(\Draft Later)"))[0], "UID STORE")
check({b"\\Draft", b"Later"} <= set(imaplib.ParseFlags(ok(c.fetch("1", "(FLAGS)"))[0])), "they stay")

# Copies.
check(re.search(rb"COPYUID \d+ %d:%d \d+:\d+" % tuple(uids[:2]), ok(c.copy("1:2", "Saved"))[0]), "COPYUID")
no(c.copy("1", "nowhere"), "TRYCREATE")
ok(c.uid("COPY", str(uids[0]), '"Sent items"'))
ok(c.uid("MOVE", str(uids[1]), '"Sent items"'))
same(c.response("EXPUNGE")[1], [b"2"], "UID MOVE expunges")
same(ok(c.search(None, "ALL")), [b"1 2"], "two are left")
check(b"MESSAGES 2" in ok(c.status('"Sent items"', "(MESSAGES)"))[0], "and two are there")
ok(c.store("1", "+FLAGS", r"(\Deleted)"))
same(ok(c.expunge()), [b"1"], "EXPUNGE")
ok(c.select("Saved", readonly=True))
c.store("1", "+FLAGS", r"(\Deleted)")
same(ok(c.search(None, "DELETED"))[0] or b"", b"", "EXAMINE lets nothing change")
ok(c.close())
ok(c.select("Saved"))
ok(c.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)"))
ok(c.unselect())
ok(c.select("Saved"))
same(ok(c.search(None, "DELETED")), [b"1 2"], "UNSELECT does not expunge")
ok(c.close())
check(b"MESSAGES 0" in ok(c.status("Saved", "(MESSAGES)"))[0], "CLOSE does")

# The rest.
check(b"(" in c.xatom("ID", "NIL")[1][0] or c.untagged_responses.get("ID"), "ID")
if "SORT" in c.capabilities:
    ok(c.select())
    ok(c.sort("SUBJECT", "UTF-8", "ALL"))
if "THREAD=REFERENCES" in c.capabilities:
    ok(c.select())
    ok(c.thread("REFERENCES", "UTF-8", "ALL"))
ok(c.enable("UTF8=ACCEPT"))
check(c.utf8_enabled, "UTF8=ACCEPT")
check("Äpfel und ß".encode() in b"\n".join(ok(c.list())), "names in UTF-8", c.list())
ok(c.create('"Küche & Bad"'))
ok(c.select('"Küche & Bad"'))
ok(c.delete('"Küche & Bad"'))
same(c.logout()[0], "BYE", "LOGOUT")

c = new()
check(b"&AMQ-pfel und &AN8-" in b"\n".join(ok(c.list())), "and in UTF-7 again for who has not asked", c.list())
c.logout()
print("every method")
