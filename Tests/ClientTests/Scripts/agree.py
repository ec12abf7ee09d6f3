"""Clients that do whatever comes to their minds, one after the other and then at once, in one mailbox: what each is told must
always fit what it was told before, and when all have been told everything, all know the same.

Some go by EXPUNGE, some by VANISHED (RFC 7162 §3.2.10), some have IMAP4rev2."""
import os
import random
import re
import threading
from imap import check, from_arguments, same, sys

# More with IMAPD_TEST_THOROUGHNESS.
SEED, STEPS, ROUNDS = 9051, 50, 1 + int(os.environ.get("IMAPD_TEST_THOROUGHNESS", "1"))
FLAGS = ["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "later"]
new = from_arguments()


class Client:
    def __init__(self, number, enabled):
        self.c, self.random, self.count = new(), random.Random(SEED + number), 0
        self.vanishes = "QRESYNC" in enabled
        self.picture = []  # The UID of each message, in their order; None where it was not told yet.
        if enabled:
            self.command("ENABLE " + enabled)
        self.select()

    def select(self):
        self.picture = []
        self.command("SELECT Agreed")
        if self.picture:
            self.command("FETCH 1:* UID")

    def command(self, text, *literals):
        self.count += 1
        tag, literals = b"x%d" % self.count, list(literals)
        # By number, nothing may go meanwhile (RFC 9051 §7.5.1).
        keeps = text.split()[0] in ("FETCH", "STORE", "SEARCH")
        self.c.send(tag + b" " + text.encode() + b"\r\n")
        while True:
            line = self.response()
            if line.startswith(b"+"):
                self.c.send(literals.pop(0))
            elif line.startswith(b"* "):
                self.hear(line, keeps, text)
            else:
                check(line.startswith(tag + b" ") and b" BAD " not in line, "an answer", text, line, self.picture)
                return

    def response(self):
        """A response, with literals left out."""
        line = self.c.readline()
        check(line.endswith(b"\r\n"), "the connection stays open", line)
        literal = re.search(rb"\{(\d+)\}\r\n$", line)
        if not literal:
            return line
        self.c.read(int(literal[1]))
        return line[:literal.start()] + b'""' + self.response()

    def hear(self, line, keeps, text):
        words = line.split()
        if words[1] == b"VANISHED":
            check(self.vanishes and not keeps, "VANISHED may be told", text, line)
            for first, _, last in (part.partition(b":") for part in words[2].split(b",")):
                for uid in range(int(first), int(last or first) + 1):
                    self.lose(uid, text)
        elif words[2:3] == [b"EXPUNGE"]:
            check(not self.vanishes and not keeps, "EXPUNGE may be told", text, line)
            check(1 <= int(words[1]) <= len(self.picture), "there is such a message", text, line, self.picture)
            del self.picture[int(words[1]) - 1]
        elif words[2:3] == [b"EXISTS"]:
            check(int(words[1]) >= len(self.picture), "messages go with EXPUNGE only", text, line, self.picture)
            self.picture += [None] * (int(words[1]) - len(self.picture))
        elif words[2:3] == [b"FETCH"]:
            check(1 <= int(words[1]) <= len(self.picture), "there is such a message", text, line, self.picture)
            uids = re.findall(rb"[( ]UID (\d+)", line)
            check(len(uids) <= 1, "the UID is told once", text, line)
            if uids:
                self.meet(int(words[1]) - 1, int(uids[0]), text)

    def meet(self, place, uid, text):
        check(self.picture[place] in (None, uid), "a message keeps its UID", text, place + 1, uid, self.picture)
        self.picture[place] = uid
        known = [uid for uid in self.picture if uid]
        check(known == sorted(set(known)), "UIDs ascend", text, place + 1, uid, self.picture)

    def lose(self, uid, text):
        place = next((place for place, known in enumerate(self.picture) if known == uid), None)
        if place is None:
            # One of those whose UIDs were not told.
            place = max((place + 1 for place, known in enumerate(self.picture) if known and known < uid), default=0)
            check(self.picture[place:place + 1] == [None], "what is gone was there", text, uid, self.picture)
        del self.picture[place]

    # What it does.

    def numbers(self, highest):
        one, other = (self.random.randint(1, highest) for _ in range(2))
        return self.random.choice([f"{one}", f"{one}:{other}", f"{other},{one}", f"{one}:*", "1:*" if highest < 20 else f"{one}"])

    def step(self):
        uids = self.numbers(max((uid for uid in self.picture if uid), default=1) + 3)
        # What others do meanwhile makes no number wrong, as it is told after commands only.
        numbers = self.numbers(len(self.picture)) if self.picture else None
        flag, sign, silent = self.random.choice(FLAGS), self.random.choice(["+", "-", ""]), self.random.choice(["", ".SILENT"])
        message = b"Subject: %d\r\n\r\n%s\r\n" % (self.count, b"text " * self.random.randrange(20))
        append = [(f"APPEND Agreed ({flag}) {{{len(message)}}}", message + b"\r\n")]
        by_number = [
            (f"FETCH {numbers} (UID FLAGS BODY.PEEK[TEXT])",), (f"STORE {numbers} {sign}FLAGS{silent} ({flag})",),
            (f"SEARCH OR {numbers} UNSEEN",), (f"UID SEARCH NOT {numbers}",), (f"COPY {numbers} Agreed",),
            (f"MOVE {numbers} Other",)]
        by_uid = [
            (f"UID FETCH {uids} (FLAGS BODY[])",), (f"UID STORE {uids} {sign}FLAGS{silent} ({flag})",), ("UID SEARCH TEXT text",),
            (f"UID COPY {uids} Agreed",), (f"UID MOVE {uids} Agreed",), (f"UID EXPUNGE {uids}",), ("EXPUNGE",), ("NOOP",),
            ("STATUS Agreed (MESSAGES)",)]
        if len(self.picture) > 60:
            by_uid = [("UID STORE 1:* +FLAGS.SILENT (\\Deleted)",), ("EXPUNGE",)]
        self.command(*self.random.choice(self.random.choice([append, append + by_uid, by_number if numbers else append])))
        if self.random.random() < 0.01:
            self.select()


def settle():
    for _ in range(2):
        for client in clients:
            client.command("NOOP")
    for client in clients:
        client.command("UID FETCH 1:* UID")
        check(None not in client.picture, "all UIDs were told", client.picture)
        same(client.picture, clients[0].picture, "all know the same")


maker = new()
maker.create("Agreed")
maker.create("Other")
clients = [Client(*each) for each in enumerate(["", "QRESYNC", "CONDSTORE IMAP4rev2", "QRESYNC IMAP4rev2"])]
failures = []


def work(client, steps):
    try:
        for _ in range(steps):
            client.step()
    except Exception as error:
        failures.append(error)


order = random.Random(SEED)
for _ in range(ROUNDS):
    for _ in range(STEPS):
        order.choice(clients).step()
    settle()
    threads = [threading.Thread(target=work, args=(client, STEPS // 8)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not failures, "all at once", *failures)
    settle()
for client in clients:
    client.c.logout()
