"""Sentences of the window about runs and later decisions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.decisions.applied import ReviewManifest

if TYPE_CHECKING:
    from training.runs.staleness import Staleness

_FOLDS_SHOWN = 12


def run_line(one: Staleness) -> str:
    """Return the effect of later decisions on a run, in a few words."""
    name = Path(one.run).name
    if one.state != "stale":
        words = {"recut": "its cells have been extracted again", "unknown": "not known"}
        return f"{name}: {words.get(one.state, 'up to date')}"
    stale = sum(fold.stale for fold in one.folds)
    held = sum(fold.holds_out > 0 for fold in one.folds)
    return (
        f"{name}: {_cells(len(one.cells))} changed; {stale} of {len(one.folds)} folds "
        f"stale, {held} to rescore"
    )


def stale_text(one: Staleness, blind: bool = False) -> str:
    """Return what changed in each fold of a run; without names where blind."""
    lines = [f"{Path(one.run).name}: {one.reason}."]
    touched = [fold for fold in one.folds if fold.trains_on or fold.holds_out]
    if blind:
        return lines[0] if one.state in ("stale", "current") else run_line(one)
    for fold in touched[:_FOLDS_SHOWN]:
        lines.append(
            f"Fold {fold.name}: trained on {fold.trains_on}, holds out "
            f"{fold.holds_out} of them."
        )
    if len(touched) > _FOLDS_SHOWN:
        lines.append(f"And {len(touched) - _FOLDS_SHOWN} folds more.")
    return "\n".join(lines)


def rescored_text(name: str, content: Mapping[str, Any]) -> str:
    """Return the result of rescoring, before and after.

    Parameters
    ----------
    content
        As `training.runs.staleness.rescore` returns it.
    """
    before = content["measured"]
    of = f"{content['n']:,} cells of {content['held_out_specimens']} specimens"
    measured = (
        f"{name}: mean class accuracy {_percent(content)} with today's decisions, "
        f"over {of}; before {_percent(before)}, over {before['n']:,} cells."
    )
    counted = (
        f"{_have(content['relabelled'])} another label, {content['left_out']} left "
        f"out, {content['not_scored']} without a score; {content['stale_folds']} of "
        f"{content['folds']} folds trained on old labels."
    )
    lines = [measured, counted]
    if content["leaky"]:
        lines.append("Its folds ignore specimens, so both figures are optimistic.")
    return "\n".join(lines)


def accepted_text(name: str, manifest: ReviewManifest) -> str:
    """Return what a run on the accepted cells would train on."""
    total = manifest.used + manifest.left_out
    return (
        f"{name} is in the LOSO trainer: {manifest.used:,} of {total:,} cells, those "
        "accepted or relabelled. A run started now records step "
        f"{manifest.last_step} of the decisions."
    )


def _cells(n: int) -> str:
    return f"{n:,} cell" + ("s" if n != 1 else "")


def _have(n: int) -> str:
    return f"{_cells(n)} {'have' if n != 1 else 'has'}"


def _percent(content: Mapping[str, Any]) -> str:
    text = f"{100 * content['mean_class_accuracy']:.1f} %"
    if not content["interval"]:
        return text
    low, high = (f"{100 * bound:.1f}" for bound in content["interval"])
    return f"{text} (95 % {low} to {high})"
