"""What the columns of a table hold: told by the whole title, never by a part of one.

Case, blanks and punctuation do not count: ``Specimen_ID`` is ``specimen id``. A part of
a title tells nothing: *slide* and *confidence* hold the letters of *id*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import BadLayoutError


@dataclass(frozen=True)
class Role:
    """What a column may hold, and the titles under which it is found.

    Attributes
    ----------
    meaning
        In the plural, as it stands in a sentence.
    titles
        In lower case; the first is the one that is recommended.
    """

    meaning: str
    titles: tuple[str, ...]

    def named(self, title: str) -> bool:
        """Whether a title is one of these, in any case and punctuation."""
        return _plain(title) in {_plain(known) for known in self.titles}

    def columns(self, header: Sequence[str]) -> list[int]:
        """Return the columns whose title is one of these."""
        return [index for index, title in enumerate(header) if self.named(title)]


SPECIMENS = Role(
    "specimens",
    (
        "specimen",
        "specimen id",
        "specimen name",
        "specimen number",
        "specimen no",
        "patient",
        "patient id",
        "serum",
        "serum id",
        "sample",
        "sample id",
    ),
)
PATTERNS = Role(
    "patterns",
    (
        "pattern",
        "class",
        "image class",
        "specimen class",
        "cell class",
        "staining pattern",
        "ana pattern",
    ),
)
INTENSITIES = Role("intensities", ("intensity", "specimen intensity"))
ROLES = Role("roles", ("role", "specimen role", "well role", "control"))
SERIES = Role("series", ("series", "plate", "plate id", "slide", "slide id", "run"))
TITRES = Role("titres", ("titre", "titer", "ana titre", "ana titer"))
ACQUISITION = (
    Role("exposures", ("exposure", "exposure time", "exposure ms", "exposure time ms")),
    Role("gains", ("gain", "camera gain")),
    Role("lamps", ("lamp", "lamp power", "light")),
    Role("conjugates", ("conjugate", "conjugate lot")),
)
"""What has to be the same in a series, for its intensities to be comparable."""
CELLS = Role(
    "cells",
    ("image id", "id", "cell", "cell id", "image", "image name", "file", "file name"),
)
FRAMES = Role(
    "frames", ("frame", "frame name", "image", "image name", "file", "file name")
)
SPECIMEN_ROWS = Role("specimens", (*SPECIMENS.titles, "id", "image id"))
"""Of a table with a row a specimen, where ``id`` can be nothing else."""
MIVIA_CELLS = Role("cells", ("id", "cell", "cell id"))
MIVIA_IMAGES = Role("images", ("image", "image id"))
"""In MIVIA's ``cells.csv`` an image is a cell's specimen, and not its own file."""


def find_column(path: Path, header: Sequence[str], role: Role) -> int | None:
    """Return the one column that has a role, or None.

    Raises
    ------
    BadLayoutError
        If two columns have a title of this role; the sentence names them.
    """
    found = role.columns(header)
    if len(found) > 1:
        names = " and ".join(repr(header[index]) for index in found)
        raise BadLayoutError(
            path,
            f"the {role.meaning} may be in the columns {names}",
            "rename those that do not count",
        )
    return found[0] if found else None


def needed_column(path: Path, header: Sequence[str], role: Role) -> int:
    """Return the one column that has a role.

    Raises
    ------
    BadLayoutError
        If there are two, or none; the sentence names the titles that there are.
    """
    found = find_column(path, header, role)
    if found is None:
        titles = ", ".join(repr(title) for title in header)
        raise BadLayoutError(
            path,
            f"it has no column of {role.meaning}, only {titles}",
            f"name the right column {role.titles[0]!r}",
        )
    return found


def _plain(title: str) -> str:
    return "".join(letter for letter in title.casefold() if letter.isalnum())
