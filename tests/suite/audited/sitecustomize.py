"""Notes every attempt to reach another machine, in the file that HEP2_CONNECTS names.

Python imports this module at its start where its folder is on PYTHONPATH, so that the
processes that a process starts are watched too.
"""

import os
import sys

_NOTES = os.environ.get("HEP2_CONNECTS")
_WATCHED = frozenset(
    {
        *("socket.connect", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"),
    }
)
_HERE = ("127.", "::1", "localhost", "::ffff:127.")
_ANY_OF_OURS = frozenset({"", "0", "0.0.0.0", "::"})


def _note(event, words):
    if event not in _WATCHED:
        return
    address = words[0] if isinstance(words[0], str) else words[1]
    host = address[0] if isinstance(address, tuple) else address
    is_file = not isinstance(address, tuple) and event.startswith("socket.con")
    if host is None or is_file or str(host).startswith(_HERE):
        return
    if str(host) in _ANY_OF_OURS:
        return
    with open(_NOTES, "a", encoding="utf-8") as notes:  # noqa: PTH123
        notes.write(f"{event} {address!r} {sys.argv[:2]}\n")


if _NOTES:
    with open(_NOTES, "a", encoding="utf-8") as notes:  # noqa: PTH123
        notes.write("started\n")
    sys.addaudithook(_note)
