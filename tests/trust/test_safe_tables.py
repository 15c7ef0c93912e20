"""Every table that is written, as a spreadsheet program and as our readers see it."""

import ast
import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import promises
import pytest
from sheet_program import live_cells
from sheet_words import hostile_words

from training.cli.curate import _write_table
from training.data.cells.cell_set import CellSet
from training.data.cells.extraction import ExtractedCells, FrameCells
from training.data.cells.files import CELLS, read_table
from training.data.cells.writer import CellWriter
from training.data.layouts import Frame, Specimen
from training.data.signal import SpecimenSignal
from training.decisions.exchange import export_decisions, import_decisions
from training.decisions.store import DecisionStore
from training.evaluation.intensity import Intensity
from training.evaluation.verdict import specimen_verdict
from training.evaluation.verdict_figures import VerdictCalibration
from training.evaluation.verdict_fit import (
    FittedVerdict,
    JudgedSpecimen,
    specimen_table,
)
from training.inference.cards import ModelCard
from training.inference.frames import FramePrediction, export_prediction
from training.patterns import I3A
from training.reports.specimens.content import cells_csv
from training.reports.specimens.findings import Findings
from training.reports.specimens.worklist import worklist_csv
from training.reports.verdict_section import _table
from training.runs.folder import RunFolder
from training.runs.predictions import HeldOut, read_predictions
from training.runs.results import write_results
from training.splits.protocols import FoldPlan
from training.storage.csv_tables import csv_text, plain_word
from training.studies.reproduction.page import _write_csv

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SCORES = np.float32([[0.9, 0.02, 0.02, 0.02, 0.02, 0.02]])
VERDICT = specimen_verdict(SCORES.repeat(20, 0), I3A)
PIXELS = np.full((90, 90), 40, np.uint8)


def cut(name, labels=(1,)):
    """Return cells of one frame of that name."""
    table = pd.DataFrame(
        {
            "label": list(labels),
            "y": 40.25,
            "x": 41.5,
            "area": 90,
            "flags": "border;tiny",
            "dropped": "",
        }
    )
    cells = ExtractedCells(np.full((len(table), 9, 9), 7, np.uint8), table)
    mask = np.zeros(PIXELS.shape, np.int32)
    mask.flat[: len(labels)] = labels
    return FrameCells(Frame(name, Path("a.tif"), None), PIXELS, mask, cells, (), True)


def plain_rows(text):
    """Return rows as a person's own program reads them, and undoes our quote."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [[plain_word(word) for word in row] for row in rows]


def column(text, title):
    header, *rows = plain_rows(text)
    return [row[header.index(title)] for row in rows]


# Each writes the words by the real writer, and gives the text and the words as the
# product's own reader gives them back.


def cells_of_frames(words, folder):
    with CellWriter.beside(folder, 9, False) as writer:
        for k, word in enumerate(words, start=1):
            writer.add(Specimen(word, (), word), cut(word, [k]))
        writer.commit({})
    table = read_table(folder / CELLS)
    labels = range(1, len(words) + 1)
    ids = [f"{word}_{k:04d}" for word, k in zip(words, labels, strict=True)]
    assert table["id"].tolist() == ids
    assert table["specimen"].tolist() == words
    assert table["pattern"].tolist() == words
    return (folder / CELLS).read_bytes().decode(), table["frame"].tolist()


def decisions(words, folder):
    path = folder / "decisions.csv"
    with DecisionStore(folder / "curation.sqlite", '=Ann; "A"', lambda: NOON) as store:
        numbered = [f"{word}{k}" for k, word in enumerate(words)]
        reasons = zip(numbered, words, strict=True)
        store.decide_each([(cell, "rejected", None, word) for cell, word in reasons])
        for word in words[:100]:
            store.note(["c"], word)
        export_decisions(store, path)
        with DecisionStore(folder / "b.sqlite", "bob") as other:
            import_decisions(other, path)
            assert other.records() == store.records()
            first = other.records()[0].decisions
    assert [said[0] for said in first] == numbered
    return path.read_bytes().decode(), [said[3] for said in first]


def predictions(words, folder):
    n = len(words)
    few = [words[k % 40] for k in range(n)]
    cells = CellSet(
        np.zeros((n, 2, 2), np.uint8),
        np.arange(n) % 6,
        np.asarray(few),
        np.asarray(words),
        I3A,
    )
    scores = np.roll(SCORES, 1).repeat(n, 0)
    spread = np.zeros(n, np.float32)
    held_out = HeldOut(np.arange(n), scores, spread, np.asarray(few), {})
    run = RunFolder(folder)
    write_results(run, cells, FoldPlan("loso", ()), held_out)
    said = read_predictions(run)
    assert said.specimens.tolist() == few
    assert said.folds.tolist() == few
    assert said.patterns == I3A.names
    confusion = (folder / "confusion.csv").read_text()
    text = (folder / "predictions.csv").read_bytes().decode()
    return confusion + text, said.ids.tolist()


def verdicts(words, folder):
    names = (*(f"{word}{k}" for k, word in enumerate(words[:5])), I3A[1].name)
    odds = np.float64([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    verdict = VERDICT.__class__(**{**vars(VERDICT), "probabilities": odds})
    judged = tuple(JudgedSpecimen(word, I3A[1], verdict) for word in words)
    fitted = VerdictCalibration.model_construct(patterns=names)
    text = specimen_table(FittedVerdict(fitted, judged))
    (folder / "specimens.csv").write_bytes(text.encode())
    return text, _table(RunFolder(folder), fitted)["specimen"].tolist()


def specimen_report(words, folder):
    n = len(words)
    table = cut("f", range(n)).cells.table
    table.insert(0, "id", words)
    table.insert(1, "frame", words)
    found = Findings(
        Specimen(words[0], (), None),
        table,
        np.arange(n),
        SCORES.repeat(n, 0),
        np.zeros((n, 9, 9), np.uint8),
        VERDICT,
        SpecimenSignal(None, None, 0),
        Intensity("not judged", "", None, "", ""),
        (),
        (),
    )
    text = cells_csv(found, [], I3A.names)
    assert column(text, "specimen") == [words[0]] * n
    assert column(text, "frame") == words
    return text, column(text, "id")


def worklist(words, folder):
    rows = [
        {
            **dict.fromkeys(("rank", "cells", "doubt", "decided_cells"), 1),
            **dict.fromkeys(("folder", "reason", "withheld", "made"), word),
            **dict.fromkeys(("icap_group", "second_pattern", "given_pattern")),
            "specimen": word,
            "pattern": word,
            "intensity": {
                **dict.fromkeys(
                    ("result", "grade", "compartment", "series", "titre"), word
                ),
                **dict.fromkeys(("index", "nuclei", "cytoplasm")),
                **dict.fromkeys(("role", "reason"), word),
                "notes": [word],
            },
            "mixed": False,
            "faults": [word],
            "shares": dict.fromkeys(I3A.names, -0.5),
            "probabilities": None,
            "reviews": [
                {"reviewer": word, "last": "now"}
                | dict.fromkeys(("accepted", "rejected", "relabelled"), 1)
            ],
            "specimen_decisions": [
                {"reviewer": word, "text": word, "result": None, "reported": None}
            ]
            * 2,
        }
        for word in words
    ]
    text = worklist_csv(rows, I3A.names)
    assert column(text, "faults") == words
    return text, column(text, "specimen")


def frame_predictions(words, folder):
    """Here the words name files; what no file can be called is left out."""
    texts, found = [], []
    card = ModelCard.model_construct(name="m", trained_on="", measured="")
    for word in words:
        frame = cut(word)
        if "/" in word or len(word.encode()) > 200 or word in (".", ".."):
            found.append(word)
            continue
        one = FramePrediction(
            frame, np.arange(1), SCORES, I3A, VERDICT, card, PIXELS[None]
        )
        text = export_prediction(one, folder)[0].read_bytes().decode()
        texts.append(text)
        found.append(column(text, "id")[0].removesuffix("_0001"))
    return "".join(texts), found


def table_of_a_command(words, folder):
    """As ``quality``, ``copies`` and ``views`` write theirs."""
    path = folder / "quality.csv"
    _write_table(path, pd.DataFrame({"id": words, "why": words, "sharpness": -0.5}))
    text = path.read_bytes().decode()
    assert column(text, "why") == words
    return text, column(text, "id")


def study(words, folder):
    rows = [{"specimen": word, words[0]: -0.5} for word in words]
    _write_csv(folder / "specimens.csv", rows)
    text = (folder / "specimens.csv").read_bytes().decode()
    return text, column(text, "specimen")


WRITERS = {
    cells_of_frames: 10_000,
    decisions: 10_000,
    predictions: 10_000,
    verdicts: 10_000,
    specimen_report: 10_000,
    worklist: 10_000,
    table_of_a_command: 10_000,
    study: 10_000,
    frame_predictions: 300,
}
"""How many words go through each; where each is a file of its own, fewer."""


@pytest.mark.promise("spreadsheets")
@pytest.mark.parametrize("write", WRITERS, ids=lambda one: one.__name__)
def test_a_table_holds_no_formula_and_gives_every_word_back(
    promise, times, tmp_path, write
):
    n = times(WRITERS[write] // 10, WRITERS[write])
    words = hostile_words(n)
    (tmp_path / "out").mkdir()
    text, back = write(words, tmp_path / "out")
    live = live_cells(text)
    lost = sum(a != b for a, b in zip(words, back, strict=True))
    title = write.__name__.replace("_", " ")
    words = f"{title}: {n:,} strings, {len(live)} live formulas, {lost} changed"
    promise.reached(words, met=not live and not lost)


def test_the_program_that_stands_for_spreadsheets_finds_formulas():
    for line in ("a,=1+1", 'x;"=1+1"', "a,\uff1d1", 'a," @x"', "a\n-b", "a,-1,+2.5e3"):
        assert len(set(live_cells(line))) == ("e3" not in line), line


def test_no_table_is_written_by_another_way():
    """What the test above shows of each writer holds as all use one module."""
    named = re.compile(r"\.writer$|to_csv|DictWriter")
    others = []
    for path in sorted((promises.ROOT / "training").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        calls = [
            ast.unparse(one.func)
            for one in ast.walk(ast.parse(text))
            if isinstance(one, ast.Call)
        ]
        if any(named.search(call) for call in calls):
            others.append(path.name)
    assert others == ["csv_tables.py"]
    assert csv_text([["=1"]]) == "'=1\n"
