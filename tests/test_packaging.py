"""What is installed and what the documents promise of it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.main import get_command

import napari_hep2 as plugin
import training
from training.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
SOURCES = [*ROOT.glob("training/**/*.py"), *ROOT.glob("napari_hep2/**/*.py")]


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as stream:
        return tomllib.load(stream)["project"]


def test_both_packages_come_from_one_distribution():
    """`training` is a name that others may install too."""
    homes = {Path(str(package.__file__)).parents[1] for package in (training, plugin)}
    assert len(homes) == 1


def test_no_module_of_training_loads_qt_or_napari():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in SOURCES
        if path.is_relative_to(ROOT / "training") and path.stem != "__main__"
    ]
    code = (
        f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}];"
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('napari', 'qtpy', 'PyQt5', 'PyQt6', 'superqt', 'napari_hep2')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert len(modules) > 40


@pytest.mark.parametrize(
    ("name", "floor"), [("torch", "2.10"), ("pillow", "13.0"), ("safetensors", "0.5")]
)
def test_dependencies_with_known_holes_have_a_floor(project, name, floor):
    wanted = {r.name: r for r in map(Requirement, project["dependencies"])}
    assert f">={floor}" in str(wanted[name].specifier)


def test_qt_is_never_more_than_an_extra(project):
    names = {Requirement(text).name.lower() for text in project["dependencies"]}
    assert not names & {"pyqt5", "pyqt6", "qtpy", "napari"}


FORBIDDEN = r"torch\.(load|save)\(|^\s*import pickle|allow_pickle=True|yaml\.load\("


def test_nothing_that_is_read_can_be_run():
    for path in SOURCES:
        found = re.search(FORBIDDEN, path.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is None, f"{path.name}: {found}"
    assert re.search(FORBIDDEN, "x = torch.load(path)", re.MULTILINE)


def test_what_the_documents_link_to_is_there():
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), (document.name, target)


def printed_commands():
    for document in DOCUMENTS:
        for line in document.read_text(encoding="utf-8").splitlines():
            if line.startswith("python -m training "):
                yield line.removeprefix("python -m training ").split()


@pytest.mark.parametrize("words", printed_commands(), ids=" ".join)
def test_printed_commands_exist_with_their_options(words):
    command = get_command(app).commands[words[0]]
    options = {name for option in command.params for name in option.opts}
    for word in words[1:]:
        if word.startswith("--"):
            assert word in options


def test_the_wheel_holds_all_it_needs(tmp_path):
    subprocess.run(
        [
            *(sys.executable, "-m", "build", "--wheel", "--no-isolation"),
            *("--outdir", str(tmp_path), str(ROOT)),
        ],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "napari_hep2/napari.yaml",
        "napari_hep2/py.typed",
        "napari_hep2/sample_data/model/simulated.safetensors",
        "napari_hep2/sample_data/specimens/gt_train.csv",
        "training/py.typed",
        "training/templates/report.html",
    ):
        assert name in names
    assert not any(name.startswith(("tests/", "docs/")) for name in names)
