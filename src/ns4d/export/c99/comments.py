"""Text of users inside C: in comments, in strings."""

from __future__ import annotations

import re


def comment(text: str) -> str:
    """What may stand in a comment: printable ASCII that neither ends it nor begins another.

    >>> comment('a */ b')
    'a ?_ b'
    """
    return re.sub(r"[^A-Za-z0-9 .,:;=_()'\"+-]", "?", text).replace("??", "?_")


def string(text: str) -> str:
    r"""A string literal of the UTF-8 bytes, with nothing that C reads as an escape or trigraph.

    >>> string('a"b?')
    '"a\\042b\\077"'
    """
    safe = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;=_()'+-/")
    return '"' + "".join(chr(b) if b in safe else f"\\{b:03o}" for b in text.encode()) + '"'
