"""The SQLite file of decisions: how it is made, opened and told from others.

The file, and the journal beside it, may come from anybody. SQLite acts on a journal as
soon as the file is opened, so that a journal is looked at first; what else the file
holds is compared whole with what we make before anything of it is read or written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from stat import S_ISREG

from training.errors import BadCellsError, StorageError
from training.storage.paths import is_inside

SCHEMA_VERSION = 3
_BUSY_SECONDS = 10
_SCHEMA = """
CREATE TABLE steps (
    step INTEGER PRIMARY KEY AUTOINCREMENT,
    reviewer TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('decide', 'undo', 'redo')),
    target INTEGER REFERENCES steps (step),
    time TEXT NOT NULL
);
CREATE TABLE decisions (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL REFERENCES steps (step),
    cell TEXT NOT NULL,
    verdict TEXT NOT NULL,
    pattern TEXT,
    reason TEXT
);
CREATE INDEX decisions_of_cell ON decisions (cell);
CREATE INDEX decisions_of_step ON decisions (step);
CREATE TRIGGER steps_stay BEFORE UPDATE ON steps
    BEGIN SELECT RAISE (ABORT, 'steps are never changed'); END;
CREATE TRIGGER steps_last BEFORE DELETE ON steps
    BEGIN SELECT RAISE (ABORT, 'steps are never deleted'); END;
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never changed'); END;
CREATE TRIGGER decisions_last BEFORE DELETE ON decisions
    BEGIN SELECT RAISE (ABORT, 'decisions are never deleted'); END;
"""
_MARKS = """
CREATE TABLE marks (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    step INTEGER NOT NULL REFERENCES steps (step),
    cell TEXT NOT NULL,
    flag INTEGER CHECK (flag IN (0, 1)),
    note TEXT,
    CHECK ((flag IS NULL) <> (note IS NULL))
);
CREATE INDEX marks_of_cell ON marks (cell);
CREATE INDEX marks_of_step ON marks (step);
CREATE INDEX steps_of_target ON steps (target);
CREATE TRIGGER marks_stay BEFORE UPDATE ON marks
    BEGIN SELECT RAISE (ABORT, 'marks are never changed'); END;
CREATE TRIGGER marks_last BEFORE DELETE ON marks
    BEGIN SELECT RAISE (ABORT, 'marks are never deleted'); END;
"""
_ANSWERS = """
CREATE TABLE answers (
    decision INTEGER PRIMARY KEY REFERENCES decisions (sequence),
    grade TEXT CHECK (grade IN ('+', '++', '+++', '++++')),
    titre TEXT,
    CHECK (coalesce (grade, titre, '') <> '')
);
CREATE TRIGGER answers_stay BEFORE UPDATE ON answers
    BEGIN SELECT RAISE (ABORT, 'answers are never changed'); END;
CREATE TRIGGER answers_last BEFORE DELETE ON answers
    BEGIN SELECT RAISE (ABORT, 'answers are never deleted'); END;
"""
_ADDED = {2: _MARKS, 3: _ANSWERS}
"""What each version added to the one before."""

_STAND_INS = {
    2: """
CREATE TEMP TABLE marks (
    sequence INTEGER, step INTEGER, cell TEXT, flag INTEGER, note TEXT
);
""",
    3: """
CREATE TEMP TABLE answers (decision INTEGER PRIMARY KEY, grade TEXT, titre TEXT);
""",
}
"""What stands for it, empty, in an older file that cannot be written."""

_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""First bytes of a rollback journal, and last ones of a journal of several files."""

STORE_FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises of a file; the second where its own message holds damaged text."""


class StrangeRowsError(sqlite3.DatabaseError):
    """A store holds rows that no program of ours wrote: SQLite keeps any type."""


def open_file(path: Path, read_only: bool) -> sqlite3.Connection:
    """Open the file, or make it; where nothing can be written an empty one in memory.

    A file of version 1, which knew no marks, or 2, which knew no answers on specimens,
    is brought to the present version in one transaction; where it cannot be written it
    is read as it is.

    Raises
    ------
    BadCellsError
        If it is damaged, no store of decisions, or of a newer version.
    StorageError
        If it cannot be made or opened.
    """
    if not path.parent.is_dir():
        raise StorageError(path, "there is no such folder", "check its name")
    if not is_inside(path.parent, path) or (path.exists() and not path.is_file()):
        raise BadCellsError(
            path,
            "it is a link that leads out of its folder, or no regular file",
            "copy the file itself here",
        )
    try:
        _check_journal(path)
        db = _connected(path, read_only)
        try:
            _set_up(db, path, read_only)
        except BaseException:
            db.close()
            raise
    except STORE_FAULTS as fault:
        raise sentence(path, fault) from fault
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock; commit at the end, or leave no trace."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def can_write(path: Path) -> bool:
    """Return whether the file and its folder, where the journal goes, are writable."""
    folder = path.parent
    if not path.exists():
        return os.access(folder, os.W_OK)
    return os.access(folder, os.W_OK) and os.access(path, os.W_OK)


def _connected(path: Path, read_only: bool) -> sqlite3.Connection:
    if read_only and not path.exists():
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        _create(db)
        return db
    mode = "ro" if read_only else "rwc"
    address = f"{path.resolve().as_uri()}?mode={mode}"
    # A worker opens a large file, and the window goes on with it.
    db = sqlite3.connect(
        address,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    try:
        db.execute("PRAGMA trusted_schema = OFF")
        if not read_only:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = EXTRA")
    except BaseException:
        db.close()
        raise
    return db


def _check_journal(path: Path) -> None:
    """Refuse what lies beside a store and is no journal of this one file.

    Ours is a rollback journal that names no other file, and is of pages of one size.

    Raises
    ------
    BadCellsError
        If there is another.
    """
    for kind in ("journal", "wal", "shm"):
        beside = path.with_name(f"{path.name}-{kind}")
        if os.path.lexists(beside) and not (
            kind == "journal" and _is_ours(beside, path)
        ):
            raise BadCellsError(
                beside,
                "it is not a journal of these decisions",
                "move it away, or put back a copy of both files",
            )


def _is_ours(journal: Path, path: Path) -> bool:
    """Return whether a journal is of one file, whose pages have the size of ours.

    One that SQLite has just removed was.
    """
    try:
        # One look: between two of them it may be removed, and another be there.
        if not S_ISREG(os.lstat(journal).st_mode):
            return False
        with journal.open("rb") as stream:
            head = stream.read(28)
            stream.seek(max(8, stream.seek(0, os.SEEK_END) - 8))
            names_others = stream.read() == _JOURNAL
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        with path.open("rb") as stream:
            page = stream.read(18)[16:]
    except OSError:
        return not os.path.lexists(journal)
    same = not page or int.from_bytes(head[24:], "big") == int.from_bytes(page, "big")
    return not names_others and (head[:8] != _JOURNAL or same)


def _create(db: sqlite3.Connection) -> None:
    _run(db, _SCHEMA)
    _upgrade(db)


def _upgrade(db: sqlite3.Connection, version: int = 1) -> None:
    for later in range(version + 1, SCHEMA_VERSION + 1):
        _run(db, _ADDED[later])
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in _statements(script):
        db.execute(statement)


def _statements(script: str) -> Iterator[str]:
    """Split a script; unlike `executescript` this leaves a transaction open."""
    statement = ""
    for line in script.strip().splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _set_up(db: sqlite3.Connection, path: Path, read_only: bool) -> None:
    if _version(db) == 0 and not read_only:
        with transaction(db):
            # Another process may have made it while this one waited for the lock.
            if _version(db) == 0 and not _made_of(db):
                _create(db)
    if _version(db) > SCHEMA_VERSION:
        raise BadCellsError(
            path,
            "its decisions were written by a newer version",
            "update this program; the file was left as it is",
        )
    version, made = _seen(db)
    if version < 1 or made != _ours(version):
        raise no_store(path)
    if _version(db) < SCHEMA_VERSION:
        _bring_up(db, read_only)


def _bring_up(db: sqlite3.Connection, read_only: bool) -> None:
    if read_only:
        db.execute("PRAGMA temp_store = MEMORY")
        for later in range(_version(db) + 1, SCHEMA_VERSION + 1):
            _run(db, _STAND_INS[later])
        return
    with transaction(db):
        # As above: another process may have done it meanwhile.
        if _version(db) < SCHEMA_VERSION:
            _upgrade(db, _version(db))


def _seen(db: sqlite3.Connection) -> tuple[int, set[tuple[str, ...]]]:
    """Return version and schema of one moment: another process may bring it up."""
    db.execute("BEGIN")
    try:
        return _version(db), _made_of(db)
    finally:
        db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _made_of(db: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return the schema: kind, name, table and text of all that there is."""
    return set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _ours(version: int) -> set[tuple[str, ...]]:
    """Return the schema that a store of some version has."""
    with closing(sqlite3.connect(":memory:")) as db:
        for script in (_SCHEMA, *(_ADDED[k] for k in range(2, version + 1))):
            db.executescript(script)
        return _made_of(db)


def no_store(path: Path) -> BadCellsError:
    """Return the fault of a file that is not ours."""
    return BadCellsError(
        path,
        "it is damaged or not a store of decisions",
        "move it away, or put back a copy",
    )


def sentence(path: Path, fault: Exception) -> BadCellsError | StorageError:
    """Return the sentence for one of `STORE_FAULTS`."""
    if isinstance(fault, StrangeRowsError | UnicodeDecodeError):
        return no_store(path)
    whole_code = getattr(fault, "sqlite_errorcode", 0)
    if whole_code == sqlite3.SQLITE_READONLY_ROLLBACK:
        return StorageError(
            path,
            "a step was interrupted while it was saved and must be rolled back; the "
            "folder is read-only",
            "copy the whole folder to where you can write",
        )
    code = whole_code & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageError(
            path,
            "the disk is full and the decision was not saved",
            "free some space and try again",
        )
    if code == sqlite3.SQLITE_BUSY:
        return StorageError(
            path,
            "another program has it locked and the decision was not saved",
            "close that program and try again",
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return no_store(path)
    return StorageError(
        path, f"it cannot be used ({fault})", "check its folder and try again"
    )
