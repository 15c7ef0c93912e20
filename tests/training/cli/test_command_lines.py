"""Every command line that the program writes is one that it reads."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from napari_hep2.trainer.process import build_command, resume_command
from training.cli import app
from training.config import ExtractionSettings, SegmentationSettings
from training.config.commands import PROGRAM, command_line, command_words, shown_line
from training.reports.specimens.plans import ReportRequest
from training.runs.deviations import rerun_command
from training.runs.experiments import configure
from training.studies.change_table import run_command


def read(line):
    """Return the command that a line names, and its parameters; nothing is run."""
    words = shlex.split(line)
    assert words[0] == PROGRAM
    command = get_command(app).commands[words[1]]
    with command.make_context(words[1], words[2:]) as context:
        return words[1], context.params


CHANGED = ExtractionSettings(size=101)
REQUEST = ReportRequest(
    Path("my specimens"), Path("model.safetensors"), Path("OUT"), extraction=CHANGED
)
OPTIONS = {"folds": 3, "seed": 2}
CONFIG = configure("pooled", "a b", extra="more", changes={"width": "0.5"})


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        (
            rerun_command(CONFIG),
            "run",
            {"experiment": "pooled", "changes": ["width=0.5"]},
        ),
        (run_command(CONFIG), "run", {"data": Path("DATA"), "extra": Path("EXTRA")}),
        (
            shown_line(REQUEST.words),
            "specimens",
            {"folder": Path("my specimens"), "changes": ["size=101"]},
        ),
        (
            shown_line(
                build_command("set-1", Path("d"), Path("o"), {"folds": 3, "seed": 2})
            ),
            "run",
            {"folds": 3, "changes": ["seed=2"]},
        ),
        (shown_line(resume_command(Path("my run"))), "resume", {"run": Path("my run")}),
    ],
)
def test_a_line_that_is_shown_is_read(line, name, expected):
    found, values = read(line)
    assert found == name
    assert {key: values[key] for key in expected} == expected


def test_options_that_were_not_chosen_are_left_out():
    line = command_line("copies", "CELLS", within=False, decisions=None, out="")
    assert line == "hep2 copies CELLS"
    flag = command_words("verdicts", "RUN", left_out=True)
    assert flag[1:] == ["verdicts", "RUN", "--left-out"]


def test_only_settings_that_differ_are_written():
    line = command_line(
        "extract", "S", out="C", changed=(CHANGED, SegmentationSettings())
    )
    assert line == "hep2 extract S --out C --set size=101"


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_any_name_comes_back(name):
    assert shlex.split(command_line("extract", f"/{name}", out="C"))[2] == f"/{name}"
