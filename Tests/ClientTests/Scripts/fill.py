"""Appends what a JSON file holds, in the form of state.py; makes the mailboxes that are not there."""
import json
from imap import from_arguments, names, ok, separator, sys

c = from_arguments()()
with open(sys.argv[6]) as file:
    held = json.load(file)
there = names(c)
for name, messages in held.items():
    name = name.replace("/", separator(c))
    if name not in there:
        ok(c.create(f'"{name}"'))
    for message in messages:
        ok(c.append(f'"{name}"', "(%s)" % " ".join(message["flags"]), f'"{message["date"]}"',
                    message["text"].encode("latin-1")))
c.logout()
