"""Changes to pictures, arrays, models and stores that get past the first check.

An entry of a TIFF gets another number, a chunk of a PNG its checksum again, a table of
SQLite a row that no program wrote.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import struct
import tempfile
import zlib
from pathlib import Path
from random import Random

from texts import json_edit

_TAGS = (254, 256, 257, 258, 259, 262, 266, 270, 273, 277, 278, 279, 282, 284, 317)
_MORE_TAGS = (320, 322, 323, 324, 325, 330, 338, 339, 347, 700, 34665, 50838, 50839)
_FIELDS = (0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 77, 255, 1000, 65535, 2**31, 2**32 - 1)


def tiff_edit(content: bytes, random: Random) -> bytes:
    """Give an entry of the first directory another tag, type, count or value."""
    if len(content) < 16 or content[:2] not in (b"II", b"MM"):
        return content
    order = "<" if content[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", content, 4)
    if start + 2 > len(content):
        return content
    (entries,) = struct.unpack_from(order + "H", content, start)
    place = start + 2 + 12 * random.randrange(max(entries, 1))
    if place + 12 > len(content):
        return content
    changed = bytearray(content)
    tag, kind, count, value = struct.unpack_from(order + "HHII", content, place)
    how = random.randrange(5)
    if how == 0:
        tag = random.choice(_TAGS + _MORE_TAGS)
    elif how == 1:
        kind = random.choice((0, 1, 2, 3, 4, 5, 7, 12, 13, 16, 18, 99))
    elif how == 2:
        count = random.choice(_FIELDS)
    else:
        value = random.choice((*_FIELDS, start, value + 1))
    struct.pack_into(order + "HHII", changed, place, tag, kind, count, value % 2**32)
    return bytes(changed)


def png_edit(content: bytes, random: Random) -> bytes:
    """Change, drop or repeat a chunk, and give it its checksum again."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        body = content[place + 4 : place + 8 + length]
        chunks.append(body)
        place += 12 + length
    if not chunks:
        return content
    which = random.randrange(len(chunks))
    body = bytearray(chunks[which])
    how = random.randrange(5)
    if how == 0:
        del chunks[which]
    elif how == 1:
        chunks.insert(random.randrange(len(chunks)), bytes(body))
    elif how == 2:
        name = random.choice((b"IDAT", b"IEND", b"PLTE", b"tRNS", b"zTXt", b"acTL"))
        chunks[which] = name + body[4:]
    elif len(body) > 4:
        at = random.randrange(4, len(body))
        body[at : at + 4] = struct.pack(">I", random.choice(_FIELDS))
        chunks[which] = bytes(body)
    return content[:8] + b"".join(map(_chunk, chunks))


def _chunk(body: bytes) -> bytes:
    size = struct.pack(">I", max(len(body) - 4, 0))
    return size + body + struct.pack(">I", zlib.crc32(body))


_NPY = (
    (rb"\(\d+", (b"(0", b"(-1", b"(99999999999", b"(1", b"(9223372036854775807", b"(")),
    (rb"'[<>|=]\w+'", (b"'|O'", b"'<f8'", b"'|V9'", b"'<U5'", b"'|b1'", b"'<M8[s]'")),
    (rb"False|True", (b"True", b"None", b"[]")),
    (
        rb", \d+",
        (b", 0", b", 99999999", b", 1", b"", b", -1", b", 9223372036854775807"),
    ),
    (rb"'descr': ", (b"'descr': [] or ", b"'x': ", b"")),
    (rb"\{", (b"(" * 500, b"__import__('os')", b"")),
)


def npy_edit(content: bytes, random: Random) -> bytes:
    """Change what the header of an array says."""
    pattern, choices = random.choice(_NPY)
    head, rest = content[:128], content[128:]
    return re.sub(pattern, random.choice(choices), head, count=1) + rest


def safetensors_edit(content: bytes, random: Random) -> bytes:
    """Change the header, and say its length again."""
    (length,) = struct.unpack_from("<Q", content.ljust(8, b"\0"))
    header = content[8 : 8 + min(length, len(content))]
    changed = json_edit(header, random)
    if random.random() < 0.1:
        metadata = random.choice((b"{}", b'{"epoch": "-1"}', b'{"history": "[1]"}'))
        changed = changed.replace(b'"__metadata__":', b'"__metadata__":' + metadata, 1)
    whole = struct.pack("<Q", len(changed)) + changed + content[8 + length :]
    return _sealed(whole)


def _sealed(content: bytes) -> bytes:
    """Give a checkpoint its digest again, so that what is in it is looked at."""
    found = re.search(rb'"digest": ?"(\w{32})"', content)
    if found is None:
        return content
    open_ = content.replace(found[1], b"0" * 32, 1)
    seal = hashlib.blake2b(open_, digest_size=16).hexdigest()
    return open_.replace(b"0" * 32, seal.encode(), 1)


# -- SQLite


_STATEMENTS = (
    "PRAGMA user_version = {number}",
    "PRAGMA user_version = 1",
    "DROP TABLE {table}",
    "ALTER TABLE {table} RENAME TO other",
    "ALTER TABLE {table} ADD COLUMN more TEXT",
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE step = {number}",
    "UPDATE {table} SET step = {value}",
    "UPDATE steps SET reviewer = {value}",
    "UPDATE steps SET kind = 'undo', target = {value}",
    "UPDATE steps SET kind = {value}, target = step",
    "UPDATE steps SET kind = 'redo'",
    "UPDATE steps SET time = {value}",
    "UPDATE decisions SET cell = {value}",
    "UPDATE decisions SET verdict = {value}",
    "UPDATE decisions SET pattern = {value}",
    "UPDATE decisions SET reason = {value}",
    "UPDATE decisions SET sequence = -sequence",
    "UPDATE marks SET note = {value}",
    "UPDATE marks SET cell = {value}",
    "INSERT INTO steps VALUES ({number}, {value}, {value}, {value}, {value})",
    "INSERT INTO decisions VALUES ({number}, {value}, {value}, 'accepted', NULL, NULL)",
    "CREATE VIEW v AS SELECT * FROM v",
    "CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END",
    "CREATE TABLE generated (a, b AS (randomblob(1000000000)))",
    "DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS step, 2 AS cell",
    "DROP TABLE {table}; CREATE TABLE {table} (step, cell)",
    "PRAGMA journal_mode = WAL",
    "PRAGMA encoding = 'UTF-16'",
)
_SQL_VALUES = (
    "NULL",
    "''",
    "'x'",
    "-1",
    "1",
    "9223372036854775807",
    "1.5",
    "9e999",
    "x'ff00'",
    "CAST(x'ff' AS TEXT)",
    "zeroblob(100000)",
    "'2026-01-02'",
    "'accepted'",
    "'relabelled'",
    "'decide'",
    "cell",
    "step",
)


def sqlite_edit(content: bytes, random: Random) -> bytes:
    """Change a store by SQL, past what it allows its own program."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.sqlite")
        path.write_bytes(content)
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA ignore_check_constraints = ON")
            db.execute("PRAGMA synchronous = OFF")
            _free(db, random)
            db.executescript(_statement(random))
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeDecodeError):
            pass
        finally:
            db.close()
        return path.read_bytes()


def _free(db: sqlite3.Connection, random: Random) -> None:
    """Take the triggers away that keep steps as they are; often their types, too."""
    rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in rows.fetchall():
        db.execute(f'DROP TRIGGER "{name}"')
    if random.random() < 0.5:
        db.executescript(
            "PRAGMA writable_schema = ON;"
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '')"
            " WHERE type = 'table';"
            "UPDATE sqlite_master SET sql = replace(sql, ' TEXT', '')"
            " WHERE type = 'table';"
            "PRAGMA writable_schema = RESET"
        )


def _statement(random: Random) -> str:
    text = random.choice(_STATEMENTS)
    while "{value}" in text:
        text = text.replace("{value}", random.choice(_SQL_VALUES), 1)
    table = random.choice(("steps", "decisions", "marks"))
    number = random.choice((0, -1, 1, 2, 3, 99, 2**31 - 1))
    return text.replace("{table}", table).replace("{number}", str(number))
