"""What a server holds, as JSON: {mailbox: [{"uid":, "flags":, "date":, "text":}]}; the text in ISO 8859-1, which is any byte,
and mailboxes' names with "/" between their levels.
"""
import imaplib
import json
import re
from imap import from_arguments, names, ok, separator, sys

c = from_arguments()()
held = {}
for name in names(c):
    ok(c.select(f'"{name}"', readonly=True))
    messages = []
    for part in ok(c.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")) if int(c.untagged_responses["EXISTS"][0]) else []:
        if isinstance(part, tuple):
            about, text = part
            messages.append({"uid": int(re.search(rb"UID (\d+)", about)[1]),
                             "flags": sorted(flag.decode() for flag in imaplib.ParseFlags(about)),
                             "date": re.search(rb'INTERNALDATE "(.*?)"', about)[1].decode(),
                             "text": text.decode("latin-1")})
    held[name.replace(separator(c), "/")] = messages
c.logout()
json.dump(held, sys.stdout)
