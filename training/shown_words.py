"""Words from outside, fit for a screen: on one line, and steering nothing.

A name of a folder, a reviewer or a specimen, and whatever stands in a file, may hold
line ends, terminal controls, marks that turn the direction of text, or bytes that are
no characters. Each is shown as an escape, as Python writes it. Sentences (`errors`),
lines of the terminal (`cli.terminal`), captions of pictures and the words of pages pass
here; what CSV and HTML need besides is added where they are written.
"""

from __future__ import annotations

import unicodedata

_UNFIT = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls, marks without a width, halves of characters, line and paragraph ends."""


def shown(words: object) -> str:
    """Return words as one line of visible characters."""
    text = str(words)
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(sign: str) -> str:
    if unicodedata.category(sign) not in _UNFIT:
        return sign
    return repr(sign)[1:-1]
