"""The events of a run, read as they are appended, whatever happens to the writer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from training.runs.events import Event, parse_event

CHUNK = 1 << 16
"""Bytes of events read at a time: about 400 events, 5 ms of parsing."""


@dataclass
class EventTail:
    """Reads the events that were added since the last call.

    Attributes
    ----------
    offset
        Bytes read so far; always just after a newline.
    bad
        Lines that were no event, such as one that a killed writer left torn.
    """

    path: Path
    offset: int = 0
    bad: int = 0

    def read(self) -> list[Event]:
        """Return the next events, at most about `CHUNK` bytes; [] at the end.

        A file that is not there yet has no events; a last line without its newline is
        left for later; a file that became shorter is read from its beginning.

        A writer cuts off the half of a line that a killed one left, and writes over it.
        Who reads meanwhile may get the beginning of the one and the end of the other: a
        line that is no event is read again, and is bad where it stays as it was.
        """
        while block := self._block():
            events = _parsed(block)
            while None in events and (again := self._block()) != block:
                block, events = again, _parsed(again)
            self.offset += len(block)
            self.bad += events.count(None)
            found = [event for event in events if event is not None]
            if found:
                return found
        return []

    def read_all(self) -> list[Event]:
        """Read every event from the last call to the end of the file."""
        events: list[Event] = []
        while found := self.read():
            events += found
        return events

    def _block(self) -> bytes:
        """Return whole lines from the offset on."""
        size = CHUNK
        try:
            with self.path.open("rb", buffering=0) as file:
                if file.seek(0, os.SEEK_END) < self.offset:
                    self.offset = 0
                while True:
                    file.seek(self.offset)
                    block = file.read(size)
                    end = block.rfind(b"\n") + 1
                    if end or len(block) < size:
                        return block[:end]
                    size *= 2
        except OSError:
            return b""


def _parsed(block: bytes) -> list[Event | None]:
    """Return the event of each line that is not blank, None where it is none."""
    return [parse_event(line) for line in block.splitlines() if line.strip()]
