"""Tables saved again by other programs: read rightly or refused, never read wrongly."""

import csv
import io
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from training.data.cells.cell_set import CellSet
from training.data.cells.folder import read_cell_folder
from training.data.layouts import read_collection
from training.decisions.exchange import export_decisions, read_decisions
from training.decisions.store import DecisionStore
from training.errors import Hep2Error
from training.patterns import I3A
from training.runs.folder import RunFolder
from training.runs.predictions import HeldOut, read_predictions
from training.runs.results import write_results
from training.splits.protocols import FoldPlan


def rows_of(content):
    text = content.decode("utf-8-sig")
    start = text.splitlines()[0]
    split = max(",;", key=start.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=split))


def joined(rows, split=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=split, lineterminator="\r\n", quoting=quoting)
    for row in rows:
        writer.writerow(row)
    return out.getvalue().replace("\r\n", end)


def decimal_commas(rows):
    """As a program of such a language writes the numbers it has read."""

    def word(one):
        whole, point, part = one.partition(".")
        is_number = point and (whole + part).isdigit()
        return f"{whole},{part}" if is_number else one

    return [[word(one) for one in row] for row in rows]


SAVED = {
    "semicolons": lambda rows: joined(rows, ";").encode(),
    "tabs": lambda rows: joined(rows, "\t").encode(),
    "byte-order mark": lambda rows: joined(rows).encode("utf-8-sig"),
    "semicolons and byte-order mark": lambda rows: joined(rows, ";").encode(
        "utf-8-sig"
    ),
    "UTF-16": lambda rows: joined(rows, "\t").encode("utf-16"),
    "UTF-16 without a mark": lambda rows: joined(rows).encode("utf-16-le"),
    "UTF-16 of a Mac": lambda rows: b"\xfe\xff" + joined(rows).encode("utf-16-be"),
    "UTF-16 cut in a letter": lambda rows: joined(rows).encode("utf-16")[:-3],
    "UTF-32": lambda rows: joined(rows).encode("utf-32"),
    "Windows letters": lambda rows: joined(rows, ";").encode("cp1252", "replace"),
    "Mac letters": lambda rows: joined(rows, end="\r").encode("mac-roman", "replace"),
    "old Mac line ends": lambda rows: joined(rows, end="\r").encode(),
    "Windows line ends": lambda rows: joined(rows, end="\r\n").encode(),
    "no last line end": lambda rows: joined(rows).rstrip("\n").encode(),
    "blank lines": lambda rows: joined(rows).replace("\n", "\n\n").encode(),
    "blank line first": lambda rows: b"\n" + joined(rows).encode(),
    "all quoted": lambda rows: joined(rows, quoting=csv.QUOTE_ALL).encode(),
    "sep=; of Excel": lambda rows: ("sep=;\r\n" + joined(rows, ";")).encode(),
    "sep=, of Excel": lambda rows: ("sep=,\n" + joined(rows)).encode("utf-8-sig"),
    "sep= in UTF-16": lambda rows: ("sep=\t\r\n" + joined(rows, "\t")).encode("utf-16"),
    "quoted sep=": lambda rows: ('"sep=;"\n' + joined(rows, ";")).encode(),
    "sep= of another": lambda rows: ("sep=|\n" + joined(rows, "|")).encode(),
    "wrong sep=": lambda rows: ("sep=,\n" + joined(rows, ";")).encode(),
    "bars": lambda rows: joined(rows, "|").encode(),
    "decimal commas": lambda rows: joined(decimal_commas(rows), ";").encode(),
    "decimal commas in quotes": lambda rows: joined(decimal_commas(rows)).encode(),
    "decimal commas without quotes": lambda rows: "\n".join(
        ",".join(row) for row in decimal_commas(rows)
    ).encode(),
    "empty columns": lambda rows: joined([[*row, "", ""] for row in rows]).encode(),
    "a column more": lambda rows: joined([[*row, "x"] for row in rows]).encode(),
    "columns moved": lambda rows: joined([row[::-1] for row in rows]).encode(),
    "a row cut": lambda rows: joined([*rows[:-1], rows[-1][:-1]]).encode(),
    "a row longer": lambda rows: joined([*rows[:-1], [*rows[-1], "x"]]).encode(),
    "title in capitals": lambda rows: joined(
        [[word.upper() for word in rows[0]], *rows[1:]]
    ).encode(),
    "blanks around": lambda rows: joined(
        [[f" {word} " for word in row] for row in rows]
    ).encode(),
}


def cells_table(folder, write_task2):
    """A cell folder of specimens with letters of several languages in their names."""
    (folder / "source.json").write_text(
        '{"format": 1, "vocabulary": "i3a", "root": null, "files": []}'
    )
    np.save(folder / "crops.npy", np.zeros((3, 9, 9), np.uint8))
    head = "id,specimen,pattern,frame,label,y,x,area,flags,dropped\n"
    rows = [
        f"f_{k},Ärztin è {k},Golgi,f,{k},1{k}.25,2{k}.5,9{k},border;tiny,{drop}\n"
        for k, drop in enumerate(("", "touching", ""))
    ]
    (folder / "cells.csv").write_text(head + "".join(rows))
    return folder / "cells.csv"


def read_cells(path):
    return read_cell_folder(path.parent).table.to_dict("records")


def decisions_table(folder, write_task2):
    path = folder / "decisions.csv"
    with DecisionStore(folder / "a.sqlite", "Ärztin è") as store:
        store.decide(["c1", "c2"], "relabelled", "Golgi", "7,5; sure")
        store.note(["c1"], "1;50")
        store.undo()
        export_decisions(store, path)
    return path


def task1_table(folder, write_task2, write_task1):
    return write_task1(folder) / "gt_training.csv"


def side_table(folder, write_task2, write_task1):
    names = {"Ä è": "Homogeneous", "Å é": "Speckled", "1": "Golgi"}
    return write_task1(folder, names) / "specimens.csv"


def task2_table(folder, write_task2):
    return write_task2(folder) / "gt_train.csv"


def plain_table(folder, write_task2, write_plain):
    table = "specimen,pattern\na,centromere\nb,golgi\n"
    return write_plain(folder, table=table) / "patterns.csv"


def mivia_table(folder, write_task2, write_mivia):
    return write_mivia(folder) / "gt_training.csv"


def mivia_side(folder, write_task2, write_mivia):
    return write_mivia(folder) / "cells.csv"


def read_layout(path):
    """Return what a layout holds, without the words that quote its titles."""
    found = read_collection(path.parent)
    return asdict(found) | {"root": None, "notes": (), "specimens_from": ""}


def predictions_table(folder, write_task2):
    names = np.asarray(["Ä è", "NA", "150"])
    cells = CellSet(
        np.zeros((3, 2, 2), np.uint8),
        np.arange(3),
        names,
        np.asarray(["007", "nan", "c"]),
        I3A,
    )
    scores = np.float32([[0.5, 0.25, 0.125, 0.0625, 0.03125, 0.03125]]).repeat(3, 0)
    held_out = HeldOut(np.arange(3), scores, np.float32([0.5] * 3), names, {})
    write_results(RunFolder(folder), cells, FoldPlan("loso", ()), held_out)
    return folder / "predictions.csv"


def read_predicted(path):
    said = read_predictions(RunFolder(path.parent))
    names = np.asarray(said.patterns)
    return {
        "words": (said.ids.tolist(), said.specimens.tolist(), said.folds.tolist()),
        "patterns": (names[said.truth].tolist(), names[said.predicted].tolist()),
        "scores": dict(zip(said.patterns, said.scores.T.tolist(), strict=True)),
        "disagreement": said.disagreement.tolist(),
    }


TABLES = {
    cells_table: read_cells,
    decisions_table: read_decisions,
    task1_table: read_layout,
    side_table: read_layout,
    task2_table: read_layout,
    plain_table: read_layout,
    mivia_table: read_layout,
    mivia_side: read_layout,
    predictions_table: read_predicted,
}


@pytest.fixture
def writers(write_task2, write_task1, write_plain, write_mivia):
    return {
        "write_task2": write_task2,
        "write_task1": write_task1,
        "write_plain": write_plain,
        "write_mivia": write_mivia,
    }


@pytest.mark.promise("sentences")
@pytest.mark.parametrize("make", TABLES, ids=lambda one: one.__name__)
def test_a_table_saved_again_is_read_rightly_or_refused(
    promise, tmp_path, make, writers
):
    code = make.__code__
    wanted = code.co_varnames[1 : code.co_argcount]
    path: Path = make(tmp_path, **{name: writers[name] for name in wanted})
    read, content = TABLES[make], path.read_bytes()
    whole, refused, wrong = read(path), [], []
    for name, save in SAVED.items():
        path.write_bytes(save(rows_of(content)))
        try:
            if read(path) != whole:
                wrong.append(name)
        except Hep2Error as fault:
            said = str(fault)
            refused.append(name)
            if path.name not in said or "\n" in said:
                wrong.append(f"{name}: {said}")
    title = make.__name__.replace("_", " ")
    promise.reached(
        f"{title}, saved in {len(SAVED)} ways: {len(SAVED) - len(refused)} read, "
        f"{len(refused)} refused with a message, {len(wrong)} misread "
        f"{wrong or ''}".strip(),
        met=not wrong and len(refused) < len(SAVED),
    )
