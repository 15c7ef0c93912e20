"""Changes to JSON, YAML and CSV that leave them readable past the first check.

A field gets another value, a name or a place; a row or a column is moved or lost.
"""

from __future__ import annotations

import csv
import io
import json
import math
from random import Random
from typing import Any

import yaml

ODD_WORDS = (
    "",
    " ",
    "nan",
    "inf",
    "1e309",
    "-1",
    "0",
    "0.5",
    "1e5",
    "9" * 25,
    "9" * 5000,
    "true",
    "null",
    "../../x",
    "/etc/passwd",
    "a\0b",
    "\ud800",
    "\u00e9",
    "\u00b2",
    "\uff11\uff12",
    "0x10",
    "1_000",
    "A" * 3000,
    "=1+1",
    "'",
    '"',
    "\r",
    "\n",
    "[" * 3000,
    "{}",
    "homogeneous",
    "2026-01-02",
)
"""Words that are hard on readers: no number, a path, half a character, a digit that is
none."""

ODD_VALUES: tuple[Any, ...] = (
    *ODD_WORDS,
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    2**31,
    2**63,
    2**64,
    10**30,
    -(10**400),
    1e308,
    math.nan,
    math.inf,
    [],
    {},
    [[]],
    [None],
    [1, 2, 3],
    {"": None},
    {"name": "x"},
)


# -- JSON and YAML: trees


def changed_tree(tree: Any, random: Random) -> Any:
    """Return a tree of lists and dicts of which one node is another."""
    places = list(_places(tree))
    if not places:
        return random.choice(ODD_VALUES)
    holder, key = random.choice(places)
    how = random.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1:
        other, there = random.choice(places)
        holder[key] = other[there]
    elif how == 2:
        holder[key] = [holder[key]]
    elif how == 3 and isinstance(holder, dict):
        holder[random.choice(ODD_WORDS)] = holder.pop(key)
    else:
        holder[key] = random.choice(ODD_VALUES)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return each node as its holder and its key in it."""
    found: list[tuple[Any, Any]] = []
    ahead, seen = [tree], {id(tree)}
    while ahead:
        node = ahead.pop()
        keys: Any = node if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            # In YAML a node may hold itself.
            if isinstance(node[key], dict | list) and id(node[key]) not in seen:
                seen.add(id(node[key]))
                ahead.append(node[key])
    return found


def json_edit(content: bytes, random: Random) -> bytes:
    """Change a node of JSON."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(tree, dict | list):
        return content
    try:
        text = json.dumps(changed_tree(tree, random))
    except (ValueError, RecursionError):
        return content
    if random.random() < 0.05:
        return ('{"a": ' * 5000 + text + "}" * 5000).encode()
    if random.random() < 0.05:
        return ("[" * 100_000).encode()
    return text.encode("utf-8", "surrogatepass")


def lines_edit(content: bytes, random: Random) -> bytes:
    """Change one line of JSON, or the order of lines."""
    lines = content.split(b"\n")
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    if random.random() < 0.2:
        lines[first], lines[second] = lines[second], lines[first]
    elif random.random() < 0.1:
        lines.insert(first, lines[second])
    else:
        lines[first] = json_edit(lines[first], random)
    return b"\n".join(lines)


_YAML_BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 40)
)
_YAML_PIECES = (
    _YAML_BOMB,
    "config: !!python/object/apply:os.getcwd []\n",
    "config: !!binary aaaa\n",
    "config: !!set {a, b}\n",
    "? [a, b]\n: c\n",
    "2026-01-02: 2026-01-02\n",
    "x: &x {y: *x}\n",
    "config: &c {classifier: *c}\n",
    "a: 1" + "0" * 5000 + "\n",
    "a: " + "[" * 5000 + "\n",
    "---\n---\n",
)


def yaml_edit(content: bytes, random: Random) -> bytes:
    """Change a node of YAML, or add what only YAML has."""
    try:
        tree = yaml.safe_load(content)
    except (ValueError, RecursionError, yaml.YAMLError):
        return content
    if not isinstance(tree, dict | list):
        return content
    if random.random() < 0.2:
        piece = random.choice(_YAML_PIECES).encode()
        return random.choice((content + piece, piece + content, piece))
    try:
        text = yaml.safe_dump(changed_tree(tree, random), sort_keys=False)
    except (ValueError, RecursionError, yaml.YAMLError):
        return content
    if random.random() < 0.1:
        text += "config: {classifier: *a39}\n"
        text = _YAML_BOMB + text
    return text.encode("utf-8", "surrogatepass")


# -- tables


def csv_edit(content: bytes, random: Random) -> bytes:
    """Change a word, a row or a column of CSV, its separator or its encoding."""
    text = content.decode("utf-8", "replace")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error:
        return content
    if not rows:
        return content
    rows = _changed_rows(rows, random)
    out = io.StringIO()
    again = random.choice((separator, separator, separator, ",", ";", "\t"))
    csv.writer(out, delimiter=again).writerows(rows)
    encoding = random.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"))
    return out.getvalue().encode(encoding, "surrogatepass")


Rows = list[list[str]]


def _changed_rows(rows: Rows, random: Random) -> Rows:
    row, other = random.randrange(len(rows)), random.randrange(len(rows))
    if random.random() < 0.3:
        row = 0
    column = random.randrange(max(len(rows[row]), 1))
    if random.random() < 0.4:
        return _changed_lines(rows, row, other, random)
    if random.random() < 0.4:
        return _changed_columns(rows, column, random)
    if column < len(rows[row]):
        words = [*ODD_WORDS, *rows[other][column : column + 1] * 8]
        rows[row][column] = random.choice(words)
    return rows


def _changed_lines(rows: Rows, row: int, other: int, random: Random) -> Rows:
    """Swap two rows, drop one or write one twice."""
    how = random.randrange(3)
    if how == 0:
        rows[row], rows[other] = rows[other], rows[row]
    elif how == 1:
        del rows[row]
    else:
        rows.insert(row, list(rows[other]))
    return rows


def _changed_columns(rows: Rows, column: int, random: Random) -> Rows:
    """Drop a column, write one twice or swap two."""
    how = random.randrange(3)
    if how == 0:
        return [line[:column] + line[column + 1 :] for line in rows]
    if how == 1:
        return [[*line, *line[:1]] for line in rows]
    other = random.randrange(column + 1)
    for line in rows:
        if column < len(line):
            line[column], line[other] = line[other], line[column]
    return rows
