"""Commands on the decisions of reviewers: exchange, history, agreement, answers."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from itertools import combinations
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.app import Commands, app
from training.cli.options import Json
from training.cli.terminal import show_line, tell
from training.errors import BadCellsError, BadLayoutError, BadSettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.decisions.agreement import Agreement, Kappa
    from training.decisions.consensus import Settled
    from training.decisions.specimens import Answer
    from training.decisions.store import Decision, DecisionStore

_ABOUT = "Export, import, history and agreement of the reviewers' decisions."

decisions = Commands(no_args_is_help=True)
app.add_typer(decisions, name="decisions", help=_ABOUT, short_help=_ABOUT)

Cells = Annotated[
    Path, typer.Argument(help="Cell folder, folder of decisions, or the file itself.")
]
Folder = Annotated[
    Path, typer.Argument(help="Folder in which the specimens are decided on.")
]
Reviewer = Annotated[str, typer.Option(help="Reviewer of the decisions; default: all.")]


@decisions.command("export")
def export_table(
    cells: Cells,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")],
    as_json: Json = False,
) -> None:
    """Export every step with reviewer, time, decision and reason, without loss."""
    from training.decisions.exchange import export_decisions

    with _opened(cells) as store:
        steps = export_decisions(store, out)
        tell({"table": str(out), "steps": steps}, as_json)


@decisions.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(help="Table written by export.")],
    into: Annotated[Path, typer.Option(help="Cell folder, or folder of decisions.")],
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Import a reviewer under another name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Import the steps that are missing; the same table twice adds nothing."""
    from training.decisions.exchange import import_decisions, read_decisions

    read_decisions(table)  # a table that is refused leaves no empty store behind
    names = dict(_renamed(word) for word in rename or [])
    with _opened(into, must_exist=False) as store:
        done = import_decisions(store, table, names)
        tell(
            {
                "decisions": str(store.path),
                "steps": done.steps,
                "added": done.added,
                "reviewers": list(done.reviewers),
            },
            as_json,
        )


@decisions.command()
def history(
    cells: Cells,
    cell: Annotated[str, typer.Argument(help="Id of the cell.")],
    as_json: Json = False,
) -> None:
    """Print the history of a cell, with reviewers and times, oldest first."""
    from training.decisions.model import event_text

    with _opened(cells) as store:
        events = store.history(cell)
    if as_json:
        tell([_plain(event) for event in events], as_json)
        return
    for event in events:
        show_line(event_text(event))
    if not events:
        show_line(f"There are no decisions on {cell}.")


@decisions.command()
def pending(cells: Cells, as_json: Json = False) -> None:
    """List the decisions that no cell bears since the cells were cut again.

    Those without a nucleus are held back. Where it is unclear which nucleus is theirs,
    the cells to decide on anew are named; once each has a decision, it is answered.
    """
    from training.data.cells.files import CELLS, NUCLEI
    from training.data.cells.pending import pending_decisions, pending_text
    from training.decisions.applied import STORE
    from training.decisions.model import decision_text

    folder = cells if cells.is_dir() else cells.parent
    if not any((folder / name).is_file() for name in (CELLS, NUCLEI, STORE)):
        raise BadCellsError(
            cells, "no cells were cut here", "give the folder that extract wrote"
        )
    found = pending_decisions(folder)
    if as_json:
        rows = [
            {
                "cell": one.cell,
                "decisions": [_plain(decision) for decision in one.decisions],
                "candidates": list(one.candidates),
            }
            for one in found
        ]
        tell({"pending": rows}, as_json)
        return
    for one in found:
        said = ", ".join(f"{d.reviewer} {decision_text(d)}" for d in one.decisions)
        asked = f": decide on {', '.join(one.candidates)}" if one.is_asked else ""
        show_line(f"{one.cell} ({said}){asked or ': held back'}")
    show_line(pending_text(found) or "Every decision is on a nucleus.")


@decisions.command()
def at(
    cells: Cells,
    step: Annotated[int, typer.Argument(min=0, help="Number of the step.")],
    reviewer: Reviewer = "",
    as_json: Json = False,
) -> None:
    """Print the decisions as of a step."""
    with _opened(cells) as store:
        if step > store.last_step:
            raise BadSettingError(
                f"step {step}", f"the last is {store.last_step}", "give that or less"
            )
        names = [reviewer] if reviewer else store.reviewers()
        found = {name: store.at(step, name) for name in names}
        marks = {name: store.marks(name, step) for name in names}
    if as_json:
        tell(
            {
                "step": step,
                "decisions": [
                    _plain(d) for one in found.values() for d in one.values()
                ],
                "marks": {
                    name: {cell: _plain(mark) for cell, mark in one.items()}
                    for name, one in marks.items()
                },
            },
            as_json,
        )
        return
    for name, one in found.items():
        counts = Counter(decision.verdict for decision in one.values())
        flagged = sum(mark.flagged for mark in marks[name].values())
        notes = sum(bool(mark.note) for mark in marks[name].values())
        words = [f"{n} {verdict}" for verdict, n in sorted(counts.items())]
        show_line(
            f"{name}: {', '.join([*words, f'{flagged} flagged', f'{notes} notes'])}"
        )


@decisions.command()
def agreement(
    cells: Cells,
    as_json: Json = False,
    show: Annotated[
        bool, typer.Option("--cells", help="Also list the cells they disagree on.")
    ] = False,
) -> None:
    """Print the agreement of each pair of reviewers: Cohen's kappa, with intervals.

    Where they disagree on a cell, more than half of them make a consensus; without one
    the cell is open, and training leaves it out.
    """
    from training.decisions.agreement import agreement_text, compare, disagreements
    from training.decisions.consensus import apart_text, settled_text

    with _opened(cells) as store:
        standing = {name: store.current(name) for name in store.reviewers()}
    patterns, specimens = _known(cells)
    found = {}
    for one, other in combinations(standing, 2):
        both = standing[one], standing[other]
        found[one, other] = compare(*both, patterns, specimens)
    apart = disagreements(_by_cell(standing), patterns)
    if as_json:
        rows = [
            {"reviewers": list(names), **_agreement_content(one)}
            for names, one in found.items()
        ]
        content = {cell: _settled_content(one) for cell, one in apart.items()}
        answer = {"agreement": rows, "disagreements": list(apart), "together": content}
        tell(answer, as_json)
        return
    for names, result in found.items():
        for line in agreement_text(*names, result):
            show_line(line)
    if not found:
        show_line("There are fewer than two reviewers.")
    settled = sum(one.together == "settled" for one in apart.values())
    show_line(apart_text(settled, len(apart) - settled))
    for cell, together in apart.items() if show else ():
        show_line(f"{cell}: {settled_text(together)}")


@decisions.command()
def answer(
    folder: Folder,
    specimen: Annotated[str, typer.Argument(help="Id of the specimen.")],
    reviewer: Annotated[str, typer.Option(help="Who says it.")],
    result: Annotated[str, typer.Option(help="negative, borderline or positive.")] = "",
    grade: Annotated[
        str, typer.Option(help="Intensity of a positive one: +, ++, +++ or ++++.")
    ] = "",
    titre: Annotated[str, typer.Option(help="Titre, such as 1:160.")] = "",
    pattern: Annotated[
        list[str] | None,
        typer.Option(help="ICAP code or name; repeatable, the leading one first."),
    ] = None,
    comment: Annotated[str, typer.Option(help="In your words.")] = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Take this reviewer's answer back instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Record what a person says of a specimen; what was said before stays on file."""
    from training.decisions.specimens import checked_answer, give_answer, take_back

    if not reviewer.strip():
        raise BadSettingError("--reviewer", "it is empty", "name who answers")
    if undo:
        take_back(folder, specimen, reviewer)
        tell({"specimen": specimen, "reviewer": reviewer, "answer": "none"}, as_json)
        return
    made = checked_answer(result, pattern or (), grade, titre, comment)
    give_answer(folder, specimen, reviewer, made)
    tell({"specimen": specimen, "reviewer": reviewer, "answer": made.text}, as_json)


@decisions.command()
def answers(folder: Folder, as_json: Json = False) -> None:
    """List what stands of each specimen, with reviewers and times."""
    from training.decisions.specimens import answer_of, read_sayings

    found = [
        {
            "specimen": name,
            "reviewer": one.reviewer,
            **asdict(answer_of(one)),
            "text": answer_of(one).text,
            "time": one.time.isoformat(timespec="seconds"),
        }
        for name, said in read_sayings(_answered(folder)).items()
        for one in said
    ]
    if as_json:
        tell({"answers": found}, as_json)
        return
    for row in found:
        show_line("{specimen}  {time} {reviewer}: {text}".format(**row))
    if not found:
        show_line("Nobody has decided on a specimen here.")


@decisions.command()
def readers(
    folder: Folder,
    worklist: Annotated[
        Path | None,
        typer.Option(help="worklist.json of specimens: also compare with the model."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the agreement of each two readers of specimens, and of each with a model.

    Kappa for positive or negative, for the grade (linear weights) and for the pattern,
    each with its interval over specimens.
    """
    from training.decisions.specimens import answer_of, read_sayings
    from training.reports.specimens.readers import agreement_content

    persons: dict[str, dict[str, Answer]] = {}
    for name, said in read_sayings(_answered(folder)).items():
        for one in said:
            persons.setdefault(one.reviewer, {})[name] = answer_of(one)
    model = {} if worklist is None else _answers_in(worklist)
    found = agreement_content(persons, model)
    if as_json:
        tell({"agreement": found}, as_json)
        return
    for pair in found:
        for line in pair["lines"]:
            show_line(line)
    if not found:
        show_line("There are fewer than two readers.")


@decisions.command("confusion")
def show_confusion(
    folder: Folder,
    reviewer: Annotated[str, typer.Option(help="Whose answers are looked at.")],
    known: Annotated[str, typer.Option(help="The reviewer whose answers are known.")],
    as_json: Json = False,
) -> None:
    """Print what a reader first called specimens of which the answer is known."""
    from training.decisions.specimen_agreement import confusion, confusion_lines
    from training.decisions.specimens import first_answers, known_answers

    place = _answered(folder)
    counts = confusion(known_answers(place, known), first_answers(place, reviewer))
    if as_json:
        rows = [{"known": a, "said": b, "specimens": n} for (a, b), n in counts.items()]
        tell({"reviewer": reviewer, "truth": known, "confusion": rows}, as_json)
        return
    for line in confusion_lines(reviewer, known, counts):
        show_line(line)


def _answered(folder: Path) -> Path:
    """Return a folder in which specimens were decided on."""
    from training.decisions.specimens import specimen_store

    if not specimen_store(folder).is_file():
        raise BadCellsError(
            folder, "there are no decisions on specimens here", "check the folder"
        )
    return folder


def _answers_in(worklist: Path) -> "dict[str, Answer]":
    from training.reports.specimens.readers import model_answers
    from training.storage.reading import read_json

    try:
        return model_answers(read_json(worklist)["specimens"])
    except (AttributeError, LookupError, OSError, TypeError, ValueError) as fault:
        raise BadLayoutError(
            worklist, "it is no worklist", "give the worklist.json of specimens"
        ) from fault


@decisions.command("patterns")
def list_patterns(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Parts of a code, a name, a synonym or a branch."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the ICAP patterns that an answer can name, competent level first."""
    from training.icap import VERSION, search

    found = search(" ".join(words or ()))
    if as_json:
        rows = [asdict(one) for one in found]
        tell({"version": VERSION, "patterns": rows}, as_json)
        return
    for one in found:
        level = "competent" if one.competent else "expert"
        also = f" ({', '.join(one.synonyms)})" if one.synonyms else ""
        show_line(f"{one.text}, {one.compartment}, {level}{also}")
    if not found:
        show_line("No pattern has all these words.")


def _by_cell(
    standing: "Mapping[str, Mapping[str, Decision]]",
) -> "dict[str, list[Decision]]":
    out: dict[str, list[Decision]] = {}
    for decided in standing.values():
        for cell, decision in decided.items():
            out.setdefault(cell, []).append(decision)
    return out


def _renamed(word: str) -> tuple[str, str]:
    old, equals, new = word.partition("=")
    if not equals or not new.strip():
        raise BadSettingError(f"--rename {word}", "it has no name", "write OLD=NEW")
    return old, new.strip()


def _agreement_content(found: "Agreement") -> dict[str, Any]:
    return {
        "overall": _kappa_content(found.overall),
        "patterns": _kappa_content(found.patterns),
        "each": [_kappa_content(one) for one in found.each],
        "specimens": found.specimens,
    }


def _settled_content(found: "Settled") -> dict[str, Any]:
    return {
        "together": found.together,
        "word": found.word,
        "votes": found.votes,
        "reviewers": found.readers,
    }


def _kappa_content(one: "Kappa") -> dict[str, Any]:
    content = asdict(one)
    figures = {key: content[key] for key in ("kappa", "low", "high")}
    return {**content, **{k: None if isnan(v) else v for k, v in figures.items()}}


def _plain(one: Any) -> dict[str, Any]:
    def word(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: word(part) for key, part in value.items()}
        return value.isoformat() if isinstance(value, datetime) else value

    plain: dict[str, Any] = word(asdict(one))
    return plain


def _known(cells: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return pattern and specimen of each cell, where a table of cells says so."""
    from training.data.cells.files import CELLS, current, read_table

    table = current(cells if cells.is_dir() else cells.parent, CELLS)
    if not table.is_file():
        return {}, {}
    read = read_table(table)
    ids = read["id"]
    return (
        dict(zip(ids, read["pattern"], strict=True)),
        dict(zip(ids, read["specimen"], strict=True)),
    )


def _opened(cells: Path, must_exist: bool = True) -> "DecisionStore":
    from training.decisions.applied import STORE
    from training.decisions.store import DecisionStore

    path = cells / STORE if cells.is_dir() else cells
    if must_exist and not path.is_file():
        raise BadCellsError(path, "there are no decisions here", "check the folder")
    return DecisionStore(path, "training")
