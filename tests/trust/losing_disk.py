"""A disk in memory that loses power: what was not synced is dropped and reordered.

SQLite writes to it through `apsw`; so this is the SQLite of apsw and not the one of
Python, which gives no way in. The statements are the store's own: `connect` stands in
the place of `sqlite3.connect`.

After a cut each sector of 512 bytes that was written since the last sync is there or
not, by chance and whatever the order; what a file had grown by may hold anything; a
file that was made or deleted since the last sync of its folder is there or not. A sync
keeps what its file, or its folder, holds; nothing else does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import numpy as np

SECTOR = 512
_NAME = "losing"


class PowerCutError(apsw.IOError):
    """The machine is off."""


class _Content:
    """The bytes of one file: as programs see them, and as the disk has them.

    Attributes
    ----------
    now
        What is read.
    """

    def __init__(self, data: bytes = b"") -> None:
        self.now = bytearray(data)
        self._kept = bytes(data)
        self._touched: set[int] = set()

    def write(self, data: bytes, offset: int) -> None:
        """Write; the disk has it at the next sync."""
        gap = offset - len(self.now)
        if gap > 0:
            self._touch(len(self.now), offset)
            self.now += bytes(gap)
        self.now[offset : offset + len(data)] = data
        self._touch(offset, offset + len(data))

    def truncate(self, size: int) -> None:
        """Cut off what is behind `size`, or add zeros."""
        if size < len(self.now):
            self._touch(size, len(self.now))
            del self.now[size:]
        elif size > len(self.now):
            self.write(bytes(size - len(self.now)), len(self.now))

    def sync(self) -> None:
        """Let the disk have all."""
        self._kept, self._touched = bytes(self.now), set()

    def survivor(self, rng: np.random.Generator) -> bytes:
        """Return what is found after a cut."""
        old, new = self._kept, bytes(self.now)
        if not self._touched and len(old) == len(new):
            return old
        # The length is one thing of the folder: the old one, the new, or in between.
        low, high = sorted((len(old), len(new)))
        size = (low, high, int(rng.integers(low, high + 1)))[int(rng.integers(3))]
        out = bytearray(old[:size].ljust(size, b"\0"))
        for sector in sorted(self._touched):
            start, end = sector * SECTOR, min((sector + 1) * SECTOR, size)
            chance = rng.random()
            if chance < 0.5:
                piece = new[start:end]
                out[start : start + len(piece)] = piece
            elif chance < 0.6 and end > max(start, len(old)):
                # What the file had grown by was not written: another file's bytes.
                start = max(start, len(old))
                out[start:end] = rng.bytes(end - start)
        return bytes(out)

    def _touch(self, start: int, end: int) -> None:
        if end > start:
            self._touched.update(range(start // SECTOR, (end - 1) // SECTOR + 1))


class Disk:
    """Files by name, and the power.

    Parameters
    ----------
    files
        What the disk has at first.

    Attributes
    ----------
    changes
        How often something was written, cut, synced, made or deleted so far.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self._names = {name: _Content(data) for name, data in (files or {}).items()}
        self._kept = dict(self._names)
        self.changes = 0
        self._left: int | None = None

    def cut_after(self, changes: int) -> None:
        """Let the power go before the change after so many more."""
        self._left = changes

    @property
    def is_off(self) -> bool:
        """Whether the power is gone."""
        return self._left is not None and self._left < 0

    def content(self, name: str, make: bool) -> _Content | None:
        """Return a file, made where it is missing, or None."""
        if name not in self._names and make:
            self.change()
            self._names[name] = _Content()
        self.look()
        return self._names.get(name)

    def delete(self, name: str, sync_folder: bool) -> None:
        """Delete a file."""
        self.change()
        self._names.pop(name, None)
        if sync_folder:
            self.sync_folder()

    def sync_folder(self) -> None:
        """Let the disk have which files there are."""
        self.change()
        self._kept = dict(self._names)

    def change(self) -> None:
        """Count one change, unless the power is gone."""
        if self._left is not None:
            self._left -= 1
        self.look()
        self.changes += 1

    def look(self) -> None:
        """Raise where the power is gone."""
        if self.is_off:
            raise PowerCutError

    def after_the_cut(self, rng: np.random.Generator) -> Disk:
        """Return the disk as it is found when the power is back."""
        files = {}
        for name in self._names.keys() | self._kept.keys():
            old, new = self._kept.get(name), self._names.get(name)
            found = new if rng.random() < 0.5 else old
            if found is not None:
                files[name] = found.survivor(rng)
        return Disk(files)

    def files(self) -> dict[str, bytes]:
        """Return what is read of each file."""
        return {name: bytes(one.now) for name, one in self._names.items()}


class _File:
    """An open file, as SQLite wants it."""

    def __init__(self, disk: Disk, content: _Content, is_new_journal: bool) -> None:
        self._disk, self._content = disk, content
        self._folder_is_due = is_new_journal

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.look()
        return bytes(self._content.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.change()
        self._content.write(bytes(data), offset)

    def xTruncate(self, size: int) -> None:
        self._disk.change()
        self._content.truncate(size)

    def xSync(self, flags: int) -> None:
        self._disk.change()
        self._content.sync()
        if self._folder_is_due:
            # As SQLite's own layer does at a new journal's first sync.
            self._disk.sync_folder()
            self._folder_is_due = False

    def xFileSize(self) -> int:
        self._disk.look()
        return len(self._content.now)

    def xLock(self, level: int) -> None:
        self._disk.look()

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return int(apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE)

    def xClose(self) -> None:
        pass


class _System(apsw.VFS):
    """The file system of the disk that is in; each process of a test has one."""

    def __init__(self) -> None:
        super().__init__(_NAME, "")
        self.disk = Disk()

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        if filename is None:
            return _File(Disk(), _Content(), False)
        make = bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
        is_new = self.disk.content(filename, False) is None
        content = self.disk.content(filename, make)
        if content is None:
            raise apsw.CantOpenError
        flags[1] = flags[0]
        is_journal = bool(flags[0] & apsw.SQLITE_OPEN_MAIN_JOURNAL)
        return _File(self.disk, content, is_new and is_journal)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.delete(filename, syncdir)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return self.disk.content(pathname, False) is not None

    def xFullPathname(self, name: str) -> str:
        return name


_system: list[_System] = []


def put_in(disk: Disk) -> None:
    """Let SQLite work on this disk from now on."""
    if not _system:
        _system.append(_System())
    _system[0].disk = disk


class _Cursor:
    """What the store needs of a cursor of `sqlite3`."""

    def __init__(self, cursor: Any, lastrowid: int) -> None:
        self._cursor = cursor
        self.lastrowid = lastrowid

    def __iter__(self) -> Iterator[Any]:
        with _faults():
            yield from self._cursor

    def fetchone(self) -> Any:
        with _faults():
            return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        with _faults():
            return list(self._cursor.fetchall())


@contextmanager
def _faults() -> Iterator[None]:
    """Turn the faults of apsw into those of `sqlite3`."""
    try:
        yield
    except apsw.Error as fault:
        made = sqlite3.OperationalError(str(fault) or "disk I/O error")
        made.sqlite_errorcode = getattr(fault, "result", apsw.SQLITE_IOERR)
        raise made from fault


class Connection:
    """What the store needs of a connection of `sqlite3`, on the disk that is in."""

    def __init__(self, address: str) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        with _faults():
            self._db = apsw.Connection(
                address, flags=flags | apsw.SQLITE_OPEN_URI, vfs=_NAME
            )

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._db.in_transaction

    def execute(self, statement: str, values: Iterable[Any] = ()) -> _Cursor:
        """Execute one statement."""
        with _faults():
            cursor = self._db.execute(statement, tuple(values))
            return _Cursor(cursor, self._db.last_insert_rowid())

    def executemany(self, statement: str, rows: Iterable[Any]) -> None:
        """Execute a statement on each row."""
        with _faults():
            self._db.executemany(statement, rows)

    def close(self) -> None:
        """Close it, whether or not the power is there."""
        self._db.close(True)


_connect = sqlite3.connect


def connect(address: str, **_: object) -> Connection | sqlite3.Connection:
    """Stand in for `sqlite3.connect` as the store calls it.

    A database in memory is on no disk; the store compares schemas with one.
    """
    return _connect(address) if address == ":memory:" else Connection(address)


def faults_of(path: Path) -> list[str]:
    """Return what SQLite finds wrong with a file of the disk that is in."""
    db = Connection(f"{path.resolve().as_uri()}?mode=rwc")
    found = [row[0] for row in db.execute("PRAGMA integrity_check")]
    found += [str(row) for row in db.execute("PRAGMA foreign_key_check")]
    db.close()
    return [] if found == ["ok"] else found
