"""What is installed: floors, what is ruled out, and the licences."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from licences import BY_FILE, PERMISSIVE, installed_with
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FLOORS = {"torch": "2.10", "pillow": "13.0", "safetensors": "0.5"}
RULED_OUT = {
    "pytorch-lightning",
    "lightning",
    "torchvision",
    "timm",
    "imagecodecs",
    "dill",
}
QT = {"pyqt5", "pyqt5-qt5", "pyqt5-sip", "pyqt6", "pyqt6-qt6", "pyqt6-sip"}
"""Packages under GPL or LGPL, and their parts: in extras alone."""
CZI = {"bioio-czi", "aicspylibczi", "pylibczirw"}
COPYLEFT = {"pyqt5": QT, "pyqt6": QT, "czi": CZI}
"""What each of these extras may bring."""


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)["project"]


@pytest.fixture(scope="module")
def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    here = [one for one in pins if one.marker is None or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier)[2:] for one in here}


@pytest.fixture(scope="module")
def by_extra(project):
    """What each extra brings, and what comes with none."""
    extras = project["optional-dependencies"]
    found = {extra: installed_with(project["name"], [extra]) for extra in extras}
    return {"": installed_with(project["name"]), **found}


def _lowest(requirement):
    (floor,) = [one for one in requirement.specifier if one.operator == ">="]
    return Version(floor.version)


@pytest.mark.promise("floors")
def test_nothing_is_older_than_its_floor_and_nothing_ruled_out_is_there(
    project, pinned, by_extra, promise
):
    wanted = {one.name: one for one in map(Requirement, project["dependencies"])}
    extras = project["optional-dependencies"].values()
    more = [Requirement(text) for texts in extras for text in texts]
    late = [n for n, at in FLOORS.items() if _lowest(wanted[n]) < Version(at)]
    every = {name: one for held in by_extra.values() for name, one in held.items()}
    both = [one for one in (*wanted.values(), *more) if one.specifier]
    below = [
        f"{one.name} {at}"
        for one in both
        for at in (pinned.get(canonicalize_name(one.name)), _installed(one.name, every))
        if at is not None and not one.specifier.contains(at, prereleases=True)
    ]
    brought = set().union(*by_extra.values()) | set(pinned)
    promise.reached(
        f"{len(FLOORS)} floors declared, {len(late)} too low; "
        f"{len(both)} requirements, {len(below)} pinned or installed below them; "
        f"{len(brought & RULED_OUT)} of {len(RULED_OUT)} ruled-out packages in "
        f"{len(brought)}",
        met=not late and not below and not brought & RULED_OUT,
    )


def _installed(name, every):
    found = every.get(canonicalize_name(name))
    return found and found.version


def test_all_that_is_installed_is_pinned(pinned, by_extra):
    """A stranger gets what was tested together."""
    missing = set().union(*by_extra.values()) - set(pinned) - {"setuptools", "pip"}
    assert missing == set()


def test_the_version_is_that_of_the_changelog(project):
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (latest, *_) = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert project["version"] == latest == version("napari-hep2")


@pytest.mark.promise("licences")
def test_every_licence_is_known_and_copyleft_comes_with_qt_alone(by_extra, promise):
    every = {name: one for held in by_extra.values() for name, one in held.items()}
    unknown = [name for name, one in every.items() if not one.licences]
    by_file = [name for name, one in every.items() if _is_by_file(one)]
    held = {
        extra: {n for n, one in brought.items() if not _is_known(one)}
        for extra, brought in by_extra.items()
    }
    stray = {extra: names - COPYLEFT.get(extra, set()) for extra, names in held.items()}
    promise.reached(
        f"{len(every)} packages, {len(unknown)} without a licence, "
        f"{len(set().union(*stray.values()))} copyleft outside the extras of PyQt "
        "and CZI; "
        f"{len(by_file)} under MPL-2.0 ({', '.join(sorted(by_file))}), all of them "
        "in extras",
        met=not unknown
        and not any(stray.values())
        and not any(map(_is_by_file, by_extra[""].values())),
    )


def _is_known(one):
    return one.only(PERMISSIVE | BY_FILE)


def _is_by_file(one):
    return _is_known(one) and not one.only(PERMISSIVE)


@pytest.mark.parametrize(
    ("said", "known"),
    [(("MIT",), True), (("BSD", "GPL-3.0"), False), ((), False), (("Zlib",), True)],
)
def test_a_licence_that_is_not_listed_is_not_known(said, known):
    one = installed_with("napari-hep2")["numpy"]
    assert _is_known(type(one)("x", "1", said)) is known
