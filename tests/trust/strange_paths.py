"""Data folders in which a table, a manifest or a link names a file outside of them.

Called with an empty folder: each case is made, read as the commands do it, and told as
JSON, with whatever Python's audit hook saw being opened outside.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.config import ExtractionSettings, SegmentationSettings
from training.curation.review_set import review_of_folder
from training.data.cells.folder import read_cell_folder, write_cell_folder
from training.data.cells.loading import load_cell_set
from training.data.layouts import read_collection
from training.data.masks.history import digest_of
from training.decisions.applied import STORE, review_cells
from training.decisions.store import DecisionStore
from training.errors import Hep2Error
from training.storage.fingerprints import fingerprint
from training.storage.images import label_bytes

SECRET = "outside"
WORDS = (
    f"../{SECRET}/frame",
    f"../{SECRET}/frame.png",
    f"../../{SECRET}",
    f"../../../{SECRET}/frame",
    f"a/../../{SECRET}/frame",
    f"./../{SECRET}/frame",
    "..",
    ".",
    "/etc/passwd",
    "{outside}/frame",
    "{outside}/frame.png",
    "//host/share/frame",
    f"..\\{SECRET}\\frame",
    "C:\\Windows\\frame",
    "C:frame",
    "\\\\host\\share\\frame",
    "file:///etc/passwd",
    "~/frame",
    "$HOME/frame",
    "/dev/zero",
    "/proc/self/environ",
    "pipe",
)
"""What stands where the name of a file should; {outside} is a folder that is there."""

_SECONDS = 10

Make = Callable[[Path, str], None]


def _frame(path: Path, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 40, (150, 160)).astype(np.uint8)
    pixels[50:80, 60:90] += 150
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    mask = np.zeros((150, 160), np.uint8)
    mask[50:80, 60:90] = 255
    Image.fromarray(mask).save(path.with_name(f"{path.stem}_mask{path.suffix}"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# -- words in tables


def _task1(data: Path, word: str = "00002", side: str = "00002") -> None:
    for number in (1, 2):
        _frame(data / "train" / f"{number:05d}.png", number)
    quoted = f'"{word}"'
    _write(
        data / "gt_training.csv",
        f"Image ID,Image class\n00001,golgi\n{quoted},golgi\n",
    )
    _write(data / "specimens.csv", f'Image ID,Specimen\n00001,1\n"{side}",2\n')


def _task1_side(data: Path, word: str) -> None:
    _task1(data, side=word)


def _task2(data: Path, word: str) -> None:
    for number in (1, 2):
        _frame(data / "train" / f"{number:05d}_p0.tif", number)
    rows = f'1;golgi;positive\n"{word}";golgi;positive\n'
    _write(data / "gt_train.csv", f"Specimen ID;Specimen class;Intensity\n{rows}")


def _mivia(data: Path, word: str = "2", side: str = "2", image: str = "2") -> None:
    for number in (1, 2):
        _frame(data / f"{number:03d}.png", number)
    _write(data / "gt_training.csv", f'ID;pattern\n1;homogeneous\n"{word}";nucleolar\n')
    _write(data / "cells.csv", f'id;image\n1;1\n"{side}";"{image}"\n')


def _mivia_side(data: Path, word: str) -> None:
    _mivia(data, side=word)


def _mivia_image(data: Path, word: str) -> None:
    _mivia(data, image=word)


def _plain(data: Path, word: str) -> None:
    for name in ("a_p0", "b_p0"):
        _frame(data / f"{name}.png")
    _write(data / "patterns.csv", f'specimen,pattern\na,golgi\n"{word}",golgi\n')


def _cells(data: Path, column: str = "", word: str = "") -> None:
    kept = data.parent.parent / "kept"
    if not kept.is_dir():
        for name in ("a_p0", "b_p0"):
            _frame(kept / "frames" / f"{name}.png")
        how = ExtractionSettings(), SegmentationSettings()
        collection = read_collection(kept / "frames")
        list(write_cell_folder(collection, kept / "data", *how))
        DecisionStore(kept / "data" / STORE, "Ann").close()
    shutil.copytree(kept, data.parent, dirs_exist_ok=True)
    if column:
        table = read_cell_folder(data).table
        table.loc[0, column] = word
        table.to_csv(data / "cells.csv", index=False)


def _cell_id(data: Path, word: str) -> None:
    _cells(data, "id", word)


def _cell_frame(data: Path, word: str) -> None:
    _cells(data, "frame", word)


def _cell_specimen(data: Path, word: str) -> None:
    _cells(data, "specimen", word)


def _source(data: Path, change: Callable[[dict[str, Any]], None]) -> None:
    _cells(data)
    source = json.loads((data / "source.json").read_text())
    change(source)
    _write(data / "source.json", json.dumps(source))


def _source_file(data: Path, word: str) -> None:
    def change(source: dict[str, Any]) -> None:
        source["files"][0] = {"name": word, "bytes": 1, "modified": 0, "sha256": "0"}
        named = Path(word)
        if named.is_absolute() and named.is_file() and not word.startswith("/proc"):
            source["files"][0]["bytes"] = named.stat().st_size

    _source(data, change)


def _mends(data: Path, mask: str = "", source: str = "") -> None:
    for name in ("a_p0", "b_p0"):
        _frame(data / f"{name}.png")
    labels = np.zeros((150, 160), np.int32)
    labels[50:80, 60:90] = 1
    content = label_bytes(labels)
    folder = data / "mended" / "a_p0"
    folder.mkdir(parents=True)
    (folder / "0001.tif").write_bytes(content)
    (data.parent / SECRET / "0001.tif").write_bytes(content)
    mark = fingerprint(data, data / "a_p0.png")
    step = dict.fromkeys(("what", "who", "time"), "")
    step |= {"step": 1, "kind": "mend", "mask": mask or "0001.tif"}
    step |= {"sha256": digest_of(content)}
    step |= {"sources": [{**mark, "name": source or mark["name"]}]}
    _write(folder / "mends.json", json.dumps({"format": 1, "steps": [step]}))
    _write(data / "mended" / "mended.json", "{}")


def _mend_mask(data: Path, word: str) -> None:
    _mends(data, mask=word.replace("frame.png", "frame").replace("frame", "0001.tif"))


def _mend_source(data: Path, word: str) -> None:
    _mends(data, source=word)


NAMED: dict[str, Make] = {
    "Task-1, table": _task1,
    "Task-1, specimens.csv": _task1_side,
    "Task-2, table": _task2,
    "MIVIA, table": _mivia,
    "MIVIA, cells.csv": _mivia_side,
    "MIVIA, image": _mivia_image,
    "plain, patterns.csv": _plain,
    "cell folder, id": _cell_id,
    "cell folder, frame": _cell_frame,
    "cell folder, specimen": _cell_specimen,
    "cell folder, source.json": _source_file,
    "mended, mask": _mend_mask,
    "mended, source": _mend_source,
}
"""Where a word names a file, and who writes it there."""


# -- links, pipes and devices in the place of files


def _replace(path: Path, kind: str, outside: Path) -> None:
    """Put a link that leads out, a pipe or a device where a file was."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "table":
        path.symlink_to("/etc/passwd")
    elif kind == "folder":
        path.symlink_to(outside, target_is_directory=True)
    else:
        path.symlink_to(outside / "frame.png")


def _places() -> Iterator[tuple[str, Callable[[Path], None], str]]:
    """Yield layout, its writer, and a file of it that is replaced."""
    layouts: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
        "Task-1": (
            _task1,
            ("gt_training.csv", "specimens.csv", "train", "train/00002.png"),
        ),
        "Task-2": (
            lambda data: _task2(data, "2"),
            ("gt_train.csv", "train/00002_p0.tif", "train/00002_p0_mask.tif"),
        ),
        "MIVIA": (_mivia, ("gt_training.csv", "cells.csv", "002.png", "002_mask.png")),
        "plain": (
            lambda data: _plain(data, "b"),
            ("patterns.csv", "b_p0.png", "b_p0_mask.png"),
        ),
        "mended": (_mends, ("mended/a_p0/mends.json", "mended/a_p0/0001.tif")),
        "cell folder": (_cells, ("crops.npy", "cells.csv", "source.json", STORE)),
    }
    for layout, (make, names) in layouts.items():
        for name in names:
            yield layout, make, name


def cases(outside: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the name of each case and what writes its folder."""
    for where, make in NAMED.items():
        for word in WORDS:
            said = word.format(outside=outside)
            yield f"{where}: {said}", lambda data, m=make, w=said: m(data, w)
    for layout, make, name in _places():
        for kind in ("picture", "pipe", "device", "table", "folder"):

            def write(data: Path, m=make, k=kind, n=name) -> None:
                m(data)
                _replace(data / n, k, outside)

            yield f"{layout}: {name} is a {kind}", write


# -- reading


class Watch:
    """Notes what is opened outside of the folders that belong to a case."""

    def __init__(self, here: Path, outside: Path) -> None:
        self.on = False
        self.seen: list[str] = []
        self._inside = (f"{here}{os.sep}",)
        self._ours = (sys.prefix, sys.base_prefix, "/proc/self/", "/sys/", "/usr/")
        self._outside = str(outside)
        sys.addaudithook(self._note)

    def _note(self, event: str, words: tuple[Any, ...]) -> None:
        if not self.on or event not in ("open", "sqlite3.connect", "os.listdir"):
            return
        if isinstance(words[0], int) or words[0] is None:
            return
        place = os.path.realpath(os.fsdecode(words[0]))
        ours = place.startswith(self._ours) or place.endswith((".py", ".pyc"))
        inside = f"{place}{os.sep}".startswith(self._inside)
        if place.startswith(self._outside) or not (inside or ours):
            self.seen.append(f"{event} {place}")


def _read(data: Path) -> str:
    """Read a folder as the commands do; return what was said to the user."""
    said = []
    for step in (_collect, _load, _review):
        try:
            step(data)
        except Hep2Error as fault:
            said.append(str(fault))
    return " ".join(said)


def _collect(data: Path) -> None:
    read_collection(data)


def _load(data: Path) -> None:
    load_cell_set(data, 32)


def _review(data: Path) -> None:
    cells = read_cell_folder(data)
    cells.stale()
    review_of_folder(data, cells)
    review_cells(data, cells.table, "not-rejected")


class _TooLongError(Exception):
    pass


def _alarm(_signal: int, _frame: Any) -> None:
    raise _TooLongError


def main(folder: Path) -> None:
    """Make each case in `folder`, read it, and print what became of it."""
    folder = folder.resolve()
    here = folder / "here"
    outside = here / SECRET
    os.environ["HEP2_CACHE"] = str(here / "cache")
    watch = Watch(here, outside)
    signal.signal(signal.SIGALRM, _alarm)
    here.mkdir()
    os.chdir(here)
    _task1(here / "first")
    _read(here / "first")  # what is imported late is imported now
    found = []
    for name, write in cases(outside):
        shutil.rmtree(here)
        here.mkdir()
        os.chdir(here)
        _frame(outside / "frame.png")
        _frame(outside / "frame.tif")
        write(here / "data")
        found.append({"case": name, **_watched(here / "data", watch)})
    print(json.dumps(found))


def _watched(data: Path, watch: Watch) -> dict[str, Any]:
    watch.seen, watch.on = [], True
    signal.alarm(_SECONDS)
    try:
        said = _read(data)
    except BaseException as fault:  # noqa: BLE001 - it is what the test asks for
        said = f"!{type(fault).__name__}: {fault}"
    signal.alarm(0)
    watch.on = False
    return {"said": said, "seen": watch.seen}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
