"""What the client scripts share: connections, deliveries, and a check that says what it saw."""
import imaplib
import os
import re
import socket
import ssl
import sys

imaplib._MAXLINE = 10_000_000  # A FETCH or SEARCH of a large mailbox is one long line.
SECONDS = 120  # A net for what hangs, not a measure of speed.


def context(authority):
    made = ssl.create_default_context(cafile=authority)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def connect(implicit, port, authority):
    """A connection over TLS, before login."""
    if implicit:
        connection = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=context(authority), timeout=SECONDS)
        promptly(connection)
        return connection
    connection = imaplib.IMAP4("localhost", int(port), timeout=SECONDS)
    promptly(connection)
    check("LOGINDISABLED" in connection.capabilities, "a password in clear text is not wanted", connection.capabilities)
    connection.starttls(context(authority))
    check("LOGINDISABLED" not in connection.capabilities, "it is, under TLS", connection.capabilities)
    return connection


def promptly(connection):
    # It sends what follows a literal by itself, which without this waits for the literal's acknowledgement.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def from_arguments():
    """Connects and logs in as argv asks: tls|starttls, port, authority, user, password."""
    how, port, authority, user, password = sys.argv[1:6]

    def new():
        connection = connect(how == "tls", port, authority)
        ok(connection.login(user, password))
        return connection
    return new


def check(holds, what, *saw):
    if not holds:
        raise AssertionError(f"{what}: {saw}")


def same(got, wanted, what):
    check(got == wanted, what, f"got {short(got)}, wanted {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) < 2000 else f"{text[:1000]} … {text[-1000:]}"


def ok(answer):
    """The data of an answer that must be OK."""
    status, data = answer
    check(status == "OK", "an answer that is OK", status, data)
    return data


def no(answer, code=None):
    status, data = answer
    check(status == "NO", "an answer that is NO", status, data)
    if code:
        check(f"[{code}]".encode() in data[-1], f"the code {code}", data)


def literals(data):
    """The literals of a FETCH, in their order."""
    return [part[1] for part in data if isinstance(part, tuple)]


def separator(connection):
    return re.search(rb'\) "(.)" ', ok(connection.list())[0])[1].decode()


def names(connection):
    """Of all mailboxes that can be selected."""
    lines = [line for line in ok(connection.list()) if b"\\Noselect" not in line and b"\\NonExistent" not in line]
    return [re.search(rb'\) "." "?(.*?)"?$', line)[1].decode() for line in lines]


def deliver(maildir, message, count=[0]):
    """As an MDA does: whole in tmp/, then into new/; owned by the mailbox's owner."""
    count[0] += 1
    name = f"1700000000.M{count[0]:06}P{os.getpid()}.{socket.gethostname()}"
    path = os.path.join(maildir, "tmp", name)
    with open(path, "xb") as file:
        file.write(message)
    owner = os.stat(os.path.join(maildir, "new"))
    os.chown(path, owner.st_uid, owner.st_gid)
    os.rename(path, os.path.join(maildir, "new", name))
