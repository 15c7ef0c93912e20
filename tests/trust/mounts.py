"""Small and read-only disks, for tests that may mount."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def can_mount() -> bool:
    """Whether this is Linux, and we are root, and may mount."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as place:
        try:
            with small_disk(Path(place) / "small", 1):
                return True
        except subprocess.CalledProcessError:
            return False


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount an empty disk in memory on a new folder."""
    size = f"size={megabytes}m"
    with _mounted(folder, "-t", "tmpfs", "-o", size, "tmpfs"):
        yield folder


@contextmanager
def read_only_view(folder: Path, of: Path) -> Iterator[Path]:
    """Mount a folder a second time, on a new one, where nothing can be written."""
    with _mounted(folder, "--bind", str(of)):
        _run("mount", "-o", "remount,ro,bind", str(folder))
        yield folder


@contextmanager
def _mounted(folder: Path, *words: str) -> Iterator[None]:
    folder.mkdir()
    _run("mount", *words, str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
