"""An IMAP client that fills an account, tells what it sees of it, and resynchronises.

usage: client.py SERVER ACTION [FILE]

SERVER is JSON: {"command": "..."} for a server on standard input and output that knows its user, or
{"port": n, "user": "...", "password": "..."}; and "prefix", under which it shows mailboxes.
"""
import imaplib
import json
import re
import sys
import time
from email.utils import mktime_tz, parsedate_tz

imaplib._MAXLINE = 10_000_000
imaplib.Commands["ENABLE"] = ("NONAUTH", "AUTH", "SELECTED")
server, action = json.loads(sys.argv[1]), sys.argv[2]
prefix = server.get("prefix", "")


def connect():
    if "command" in server:
        return imaplib.IMAP4_stream(server["command"])
    client = imaplib.IMAP4("127.0.0.1", server["port"])
    client.login(server["user"], server["password"])
    return client


client = connect()


def ok(answer):
    if answer[0] != "OK":
        raise SystemExit(f"refused: {answer}")
    return answer[1]


def far(name):
    """A mailbox as the server calls it."""
    return name if name == "INBOX" else prefix + name


def near(name):
    return name[len(prefix):] if prefix and name.startswith(prefix) else name


def listed(lines):
    for line in lines:
        match = re.match(rb'\(([^)]*)\) (?:"."|NIL) "?([^"]+)"?$', line or b"")
        if match and b"\\noselect" not in match[1].lower():
            yield near(match[2].decode())


def date(text):
    return mktime_tz(parsedate_tz(text.decode()))


def untagged(name):
    return [line for line in client.untagged_responses.get(name, [])]


def code(kind):
    for line in untagged(kind):
        return int(line)


def mailbox(name):
    ok(client.select(f'"{far(name)}"', readonly=True))
    seen = {"uidvalidity": code("UIDVALIDITY"), "uidnext": code("UIDNEXT"), "messages": []}
    modseq = code("HIGHESTMODSEQ")
    if seen["uidnext"] is None:
        # Courier tells it in STATUS only.
        status = ok(client.status(f'"{far(name)}"', "(UIDNEXT)"))[0]
        seen["uidnext"] = int(re.search(rb"UIDNEXT (\d+)", status)[1])
    if int(untagged("EXISTS")[-1]):
        for line in ok(client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")):
            uid, flags, when, size = (re.search(part, line)[1] for part in (
                rb"UID (\d+)", rb"FLAGS \(([^)]*)\)", rb'INTERNALDATE "([^"]+)"', rb"RFC822.SIZE (\d+)"))
            names = sorted(flag.decode() for flag in flags.split() if flag != b"\\Recent")
            seen["messages"].append([int(uid), " ".join(names), date(when), int(size)])
    return seen, modseq


def view():
    if "CONDSTORE" in client.capabilities:
        ok(client.enable("CONDSTORE"))
    names = sorted(set(listed(ok(client.list()))))
    found = {name: mailbox(name) for name in names}
    subscribed = sorted(listed(ok(client.lsub())))
    return {"mailboxes": {name: seen for name, (seen, _) in found.items()}, "subscribed": subscribed,
            "modseqs": {name: modseq for name, (_, modseq) in found.items() if modseq}}


def append(name, flags, when, number):
    text = f"Subject: message {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n"
    text += f"line {number}\r\n" * (number * number % 50)
    zone = "+0000" if number % 2 else "-0930"
    ok(client.append(f'"{far(name)}"', flags, f'"{when} {zone}"', text.encode()))


def fill():
    """What clients do in years, in short."""
    names = ["INBOX", "Lists", "Lists.swift", "Entw&APw-rfe", "R&-D", "Empty", "Work", "Gone"]
    for name in names[1:]:
        ok(client.create(f'"{far(name)}"'))
    for name in ["INBOX", "Lists.swift", "Entw&APw-rfe"]:
        ok(client.subscribe(f'"{far(name)}"'))
    ok(client.delete(f'"{far("Gone")}"'))
    flags = ["", r"\Seen", r"\Seen \Answered", r"\Flagged work", r"\Draft", r"$Forwarded \Seen", "home work $MDNSent"]
    for number in range(42):
        when = f"{1 + number % 28:02}-Feb-{1999 + number % 20} 10:{number:02}:00"
        append(names[[0, 0, 2, 3, 4][number % 5]], flags[number % 7], when, number)
    ok(client.select("INBOX"))
    ok(client.store("2:4", "+FLAGS.SILENT", r"(\Seen home)"))
    ok(client.store("3", "-FLAGS.SILENT", r"(\Seen work)"))
    ok(client.copy("1:6", f'"{far("Work")}"'))
    ok(client.uid("STORE", "5,9", "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.expunge())
    ok(client.store("*", "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.expunge())
    ok(client.store("2", "+FLAGS.SILENT", r"(\Deleted)"))


def change():
    """A little of everything, by whoever serves the account now."""
    append("INBOX", "late", "01-Mar-2021 11:00:00", 100)
    append("Work", r"\Seen", "01-Mar-2021 11:00:00", 101)
    ok(client.select(f'"{far("Work")}"'))
    ok(client.store("1", "FLAGS.SILENT", r"(\Answered fresh)"))
    ok(client.store("2", "+FLAGS.SILENT", r"(\Deleted)"))
    ok(client.expunge())
    ok(client.unsubscribe(f'"{far("Lists.swift")}"'))
    ok(client.subscribe(f'"{far("Work")}"'))


def resynchronise(known):
    """As a client with QRESYNC does (RFC 7162 §3.2.5): tells what is new to it, gone, or has other flags."""
    news = []
    ok(client.enable("QRESYNC"))
    for name, old in known["mailboxes"].items():
        uids = [message[0] for message in old["messages"]]
        flags = {message[0]: message[1] for message in old["messages"]}
        ranges = (" " + ",".join(map(str, uids))) if uids else ""
        modseq = known["modseqs"][name]
        tag = client._new_tag()
        client.send(tag + f' SELECT "{far(name)}" (QRESYNC ({old["uidvalidity"]} {modseq}{ranges}))\r\n'.encode())
        while True:
            line = client.readline().rstrip()
            if line.startswith(tag):
                if b" OK" not in line:
                    news.append([name, "refused", line.decode()])
                break
            if match := re.match(rb"\* VANISHED \(EARLIER\) (\S+)", line):
                gone = set()
                for part in match[1].decode().split(","):
                    low, _, high = part.partition(":")
                    gone |= {uid for uid in uids if int(low) <= uid <= int(high or low)}
                if gone:
                    news.append([name, "vanished", sorted(gone)])
            elif match := re.match(rb"\* \d+ FETCH .*UID (\d+)", line):
                seen = re.search(rb"FLAGS \(([^)]*)\)", line)
                names = " ".join(sorted(f.decode() for f in seen[1].split() if f != b"\\Recent")) if seen else None
                if flags.get(int(match[1])) != names:
                    news.append([name, "changed", line.decode()])
            elif match := re.match(rb"\* OK \[UIDVALIDITY (\d+)", line):
                if int(match[1]) != old["uidvalidity"]:
                    news.append([name, "uidvalidity", int(match[1])])
            elif match := re.match(rb"\* (\d+) EXISTS", line):
                if int(match[1]) != len(uids):
                    news.append([name, "exists", int(match[1])])
        client.state = "SELECTED"
        fresh = [int(uid) for uid in ok(client.uid("SEARCH", f'UID {old["uidnext"]}:*'))[0].split()]
        fresh = [uid for uid in fresh if uid not in uids]
        if fresh:
            news.append([name, "new", fresh])
    return news


if action == "view":
    print(json.dumps(view(), sort_keys=True))
elif action == "resynchronise":
    with open(sys.argv[3]) as file:
        print(json.dumps(resynchronise(json.load(file))))
else:
    {"fill": fill, "change": change}[action]()
client.logout()
