"""Logs in with a certificate."""
import imaplib
import sys

from imap import SECONDS, check, context

how, port, authority, user, _, certificate, key = sys.argv[1:8]
made = context(authority)
made.load_cert_chain(certificate, key)
if how == "tls":
    connection = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=made, timeout=SECONDS)
else:
    connection = imaplib.IMAP4("localhost", int(port), timeout=SECONDS)
    check("AUTH=EXTERNAL" not in connection.capabilities, "nothing was shown yet", connection.capabilities)
    connection.starttls(made)
check("AUTH=EXTERNAL" in connection.capabilities, "a certificate was shown", connection.capabilities)
status, answer = connection.authenticate("EXTERNAL", lambda challenge: b"")
check(status == "OK", "the certificate is enough", answer)
status, answer = connection.select("INBOX")
check(status == "OK", "there is a mailbox", answer)
connection.logout()
