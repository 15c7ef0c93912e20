"""Plants names wherever an identity can stand, and does the main commands there.

A planted name is `zqx017kw`: no picture, weight or hash spells that by chance.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import main_jobs
import numpy as np
import tifffile
from own_machine import AUDITED
from PIL import Image, PngImagePlugin

from training.cli import app
from training.storage.images import read_frame

HERE = Path(__file__).parent
ENVIRONMENT = (
    *("USER", "LOGNAME", "USERNAME", "HOSTNAME", "COMPUTERNAME", "USERDOMAIN"),
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "EMAIL", "NAME"),
    *("GIT_COMMITTER_EMAIL", "REALNAME", "DEBFULLNAME", "DEBEMAIL", "SUDO_USER"),
    *("USERPROFILE", "ORGANIZATION", "SSH_CONNECTION", "MAIL", "CONDA_PREFIX"),
)
_TEXT_TAGS = (
    *(269, 271, 272, 285, 315, 316, 33432, 337, 333),  # names and makers
    *(37510, 42016, 42032, 42033, 42035, 42037),  # comment, ids, owner, serial number
)
_EXIF_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x013C, 0x8298, 0x9C9D)
_CHUNKS = (
    *("Author", "Title", "Description", "Copyright", "Source", "Comment"),
    *("Software", "Disclaimer", "Warning", "Artist"),
)
_XMP, _XMP_TAG = "<x:xmpmeta><dc:creator>{}</dc:creator></x:xmpmeta>", 700
_OWNER = 54321


class Names:
    """Gives a new name at each call.

    Attributes
    ----------
    planted
        How many were given.
    """

    def __init__(self) -> None:
        self._count = count()
        self.planted = 0

    def __call__(self) -> str:
        self.planted += 1
        return f"Zqx{next(self._count):03d}kw"


@dataclass(frozen=True)
class Done:
    """What the commands left.

    Attributes
    ----------
    home
        The folder with everything, itself called after a planted name.
    data
        Planted input; all else below `home` was written by the commands.
    made
        Where the commands were told to write.
    planted
        Names planted.
    commands
        Commands done.
    reached
        Lines on attempts to reach another machine.
    watched
        How that was looked for, in words.
    """

    home: Path
    data: frozenset[Path]
    made: Path
    planted: int
    commands: int
    reached: tuple[str, ...]
    watched: str


@cache
def commands_done() -> Done:
    """Plant the names and do the commands, once for all tests of a process."""
    names = Names()
    top = Path(tempfile.mkdtemp(prefix="hep2-planted-"))
    atexit.register(shutil.rmtree, top, ignore_errors=True)
    home = top.joinpath(*(f"home {names()}" for _ in range(4)))
    work = home / f"{names()} @ {names()}"
    data = work / "data"
    _simulate(data)
    _plant_in_images(data / "train", names)
    _plant_in_git(home, work, names)
    before = frozenset(path for path in home.rglob("*") if path.is_file())
    notes, made = top / "connects.txt", work / "made"
    child = [sys.executable, HERE / "main_jobs.py", data, made]
    calls = top / "calls.txt"
    done = subprocess.run(
        [*_elsewhere(top, names), *traced(calls), *child],
        cwd=work,
        env=_environment(home, notes, names),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = notes.read_text().splitlines()
    reached = [line for line in lines if line != "started"]
    started = len(lines) - len(reached)
    watched = f"{started} Python process{'es' * (started != 1)}"
    if calls.exists():
        reached += calls_outside(calls.read_text())
        watched += " and their calls of the system"
    watched += ", without a network" if _is_root() else ""
    commands = int(done.stdout)
    return Done(home, before, made, names.planted, commands, tuple(reached), watched)


def _simulate(data: Path) -> None:
    """Write specimens that are alike in all but their pattern; one is broken."""
    patterns = ("patterns=Homogeneous,Speckled,Nucleolar",)
    words = ["simulate", data, "--specimens", 6, "--seed", 3]
    words += main_jobs.changes((*main_jobs.SIMULATED, *patterns))
    app([str(word) for word in words], standalone_mode=False)
    with (data / "gt_train.csv").open("a", encoding="utf-8") as table:
        table.write("7;Speckled;positive\n")
    (data / "train" / "00007_p0.tif").write_bytes(b"II*\0 no image")


def traced(calls: Path) -> list[object]:
    """Return words before a command that has its calls of the system noted.

    What compiled libraries do is not seen by Python. Nothing where strace is missing.
    """
    if shutil.which("strace") is None:
        return []
    watched = "trace=connect,sendto,sendmsg,sendmmsg"
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-e", watched, "-o", calls]


def calls_outside(calls: str) -> list[str]:
    """Return the noted calls that name an address outside of the loopback."""
    return [
        line
        for line in calls.splitlines()
        if "AF_INET" in line and '"127.' not in line and '"::1"' not in line
    ]


# -- names in images


def _plant_in_images(folder: Path, names: Names) -> None:
    for k, path in enumerate(sorted(folder.glob("0000[1-6]*.tif"))):
        pixels = read_frame(path).pixels
        if k in (2, 3):
            path.unlink()
            path = path.with_suffix(".png")
            _write_png(path, pixels, names)
        elif k == 4:
            path.unlink()
            path = path.with_suffix(".jpg")
            Image.fromarray(pixels).save(
                path, quality=95, exif=_exif(names), comment=names().encode()
            )
        else:
            _write_tiff(path, pixels, names)
        if _is_root():
            os.chown(path, _OWNER, _OWNER)


def _write_tiff(path: Path, pixels: np.ndarray, names: Names) -> None:
    own = [(tag, "s", 0, f"Dr {names()} <{names()}@x.org>", True) for tag in _TEXT_TAGS]
    xmp = _XMP.format(", ".join(names() for _ in range(12))).encode()
    own.append((_XMP_TAG, "B", len(xmp), xmp, True))
    tifffile.imwrite(
        path,
        pixels,
        photometric="minisblack",
        metadata=None,
        description=f"taken by {names()}",
        software=names(),
        extratags=own,
    )


def _write_png(path: Path, pixels: np.ndarray, names: Names) -> None:
    info = PngImagePlugin.PngInfo()
    for key in _CHUNKS:
        info.add_text(key, names())
        info.add_text(f"z{key}", names(), zip=True)
        info.add_itxt(f"i{key}", names(), "en", key, zip=True)
    Image.fromarray(pixels).save(path, pnginfo=info, exif=_exif(names))


def _exif(names: Names) -> Image.Exif:
    exif = Image.Exif()
    for tag in _EXIF_TAGS:
        exif[tag] = names()
    return exif


# -- names in the surroundings


def _plant_in_git(home: Path, work: Path, names: Names) -> None:
    for path in (home / ".gitconfig", work / ".git" / "config"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"[user]\n\tname = {names()}\n\temail = {names()}@x.org\n")
    (work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


def _environment(home: Path, notes: Path, names: Names) -> dict[str, str]:
    planted = {name: names() for name in ENVIRONMENT}
    watched = {"PYTHONPATH": str(AUDITED), "HEP2_CONNECTS": str(notes)}
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    place = {"HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    # Packed cells and fonts are kept in the user's own cache and pass on to nobody.
    cache = dict.fromkeys(("HEP2_CACHE", "MPLCONFIGDIR"), str(notes.parent / "cache"))
    return {**planted, **watched, **kept, **place, **cache, "COLUMNS": "500"}


def _elsewhere(top: Path, names: Names) -> list[object]:
    """Return words before a command: another host, another user and no network.

    Nothing where that takes rights that we do not have.
    """
    if not _is_root():
        return []
    users = top / "passwd"
    lines = Path("/etc/passwd").read_text().splitlines()
    others = [line for line in lines if not line.startswith("root:")]
    us = f"{names()}:x:0:0:{names()}:/root:/bin/sh"
    them = f"{names()}:x:{_OWNER}:{_OWNER}:{names()}:/:/bin/sh"
    users.write_text("\n".join([us, *others, them]) + "\n")
    script = 'hostname "$1" && mount --bind "$2" /etc/passwd && shift 2 && exec "$@"'
    apart = ["unshare", "--uts", "--mount", "--net", "sh", "-c", script, "sh"]
    return [*apart, names(), users]


def _is_root() -> bool:
    """Whether this process may leave the network: root of Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


def written(done: Done) -> Iterator[Path]:
    """Give every file that the commands wrote."""
    for path in sorted(done.home.rglob("*")):
        if path.is_file() and path not in done.data:
            yield path
